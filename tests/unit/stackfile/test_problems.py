"""What a bad stack file is told: the line, the key, and what is allowed."""

import pytest

from containerdeploy.errors import BadInput
from containerdeploy.stackfile.load import load_stack

HEAD = '[stack]\nname = "shop"\n[service.web]\nimage = "i"\n'  # keys begin at line 5
DB = '[service.db]\nimage = "i"\nport = 5432\n'

KEYS = [
    ("prot = 80", "prot", "unknown key; allowed: build, image", 'did you mean "port"?'),
    ("port = 0", "port", "a whole number from 1 to 65535, not 0", ""),
    ("port = true", "port", "a whole number from 1 to 65535, not true", ""),
    ("replicas = 1.5", "replicas", "a whole number from 1 to 100, not 1.5", ""),
    ('command = "a b"', "command", 'a list of words such as ["python3"', "no shell"),
    ("command = [1]", "command[0]", "should be a string, not 1", ""),
    ("entrypoint = 1979-05-27", "entrypoint", "not a date or time", ""),
    ('drain = "30"', "drain", 'a time such as "30s", "5m" or "500ms", or "none", not "30"', ""),
    ("drain = -1", "drain", "should be a time", ""),
    ("drain = inf", "drain", "should be a time", ""),
    ('hold = "9999h"', "hold", "at most 7 days", ""),
    ('limits = "1G"', "limits", 'a table such as { memory = "256M" }', ""),
    ('limits = { memory = "5M" }', "limits.memory", "at least 6M", ""),
    ("limits = { memory = 5 }", "limits.memory", 'a size with its unit, such as "256M"', ""),
    ("limits = { cpu = 1 }", "limits.cpu", "unknown key; allowed: memory, cpus, pids", "cpus"),
    ('health = "x"', "health", 'should be a path that starts with "/"', ""),
    ("health = { status = 200 }", "health.status", "needs a health.path", ""),
    ('strategy = "rolling"', "strategy", '"beside" or "replace", not "rolling"', ""),
    ('restart = "never"', "restart", '"unless-stopped" or "always"', ""),
    ('secrets = ["a-b"]', "secrets[0]", "letters, digits and underscores", ""),
    ('secrets = ["A", "A"]', "secrets[1]", "is named twice", ""),
    ('secrets = { A = { file = "a", env = "B" } }', "secrets.A", "not both", ""),
    ('labels = { "cdeploy.x" = "1" }', 'labels."cdeploy.x"', "are reserved", ""),
    ('env = { "a b" = "1" }', 'env."a b"', "needs a name", ""),
    ("env = { A = [1] }", "env.A", "a string, a number, true or false, not a list", ""),
    ('env = { A = "${NOPE}" }', "env.A", "variable NOPE is not set", "${NOPE:-...}"),
    ('env = { A = "${" }', "env.A", "is not followed by a name", "$${"),
    ('env = { A = "\\u0000" }', "env.A", "NUL character", ""),
    ('env_file = "none.env"', "env_file", "there is no such file", ""),
    ('volumes = ["data"]', "volumes[0]", '"name:/path"', ""),
    ('volumes = ["data:d"]', "volumes[0]", "absolute path in the container", ""),
    ('volumes = ["a:/d", "b:/d"]', "volumes[1]", "mounted on /d already", ""),
    ('volumes = ["./nope:/d"]', "volumes[0]", "no such file or folder", ""),
    ('volumes = ["~/x:/d"]', "volumes[0]", "is not expanded", "${HOME}"),
    ('tmpfs = ["/"]', "tmpfs[0]", 'below "/"', ""),
    ('capabilities = ["CAP_CHOWN"]', "capabilities[0]", "without CAP_", 'write "CHOWN"'),
    ('stop_signal = "SIGTRM"', "stop_signal", "a signal", "SIGTERM"),
    ("before_switch = []", "before_switch", "should name a program", ""),
    ('before_switch = { timeout = "1s" }', "before_switch.command", "is missing", ""),
    ('route = "a"', "route", "needs a port to lead to", "give the port"),
    ('health = "/x"', "health.path", "needs a port to ask", "give the port"),
    ('port = 1\nroute = "https://a"', "route", "without a scheme", ""),
    ('port = 1\nroute = "a:80"', "route", "without a port", "host settings"),
    ('port = 1\nroute = "a b"', "route", 'a host such as "shop.localhost"', ""),
    ('port = 1\nroute = "a/../b"', "route", 'a path such as "/api"', ""),
    ("port = 1\nroute = { path = '/x' }", "route", "needs a host", ""),
    ("port = 1\nroute = { host = 'a', tcp = 5 }", "route", "not both", ""),
    ('port = 1\nroute = ["a", "a/"]', "route[1]", "named twice", ""),
    ('port = 1\nroute = "a"\nprotocol = "tcp"', "protocol", "a route with a host can't be", ""),
    ('strategy = "replace"\nreplicas = 2', "replicas", "must be 1", "beside"),
    ('build = "app"', "image", "build or image, not both", ""),
    ("args = { A = 1 }", "args", "there is none", ""),
    ('uses = ["web"]', "uses[0]", "can't use itself", ""),
    ('uses = ["wbe"]', "uses[0]", 'no service "wbe" in this stack', ""),
    ("test = 1", "test", "should be tables", ""),
    ("test = { htp = {} }", "test.htp", "unknown kind of check", 'did you mean "http"?'),
    ("test = { image = 1 }", "test.image", "a table or an array of tables, not 1", ""),
    ("test = { image = [1] }", "test.image[0]", "a table, not 1", ""),
    ('test = { image = { usr = "1" } }', "test.image.usr", "unknown key", 'mean "user"?'),
    ("test = { image = { user = 1 } }", "test.image.user", "should be a string, not 1", ""),
    ("test = { image = {} }", "test.image", "asserts nothing", ""),
    ("test = { file = { path = '/a', exists = 1 } }", "test.file.exists", "true or false", ""),
    ("test = { command = {} }", "test.command.run", "is missing", ""),
    (
        "port = 1\ntest = { http = [{ path = '/', matches = '(' }] }",
        "test.http[0].matches",
        "(",
        "",
    ),
    (
        "port = 1\ntest = { http = { path = '/', header = { X = { contain = 'y' } } } }",
        "test.http.header.X.contain",
        "unknown key; allowed: equals",
        "contains",
    ),
    ("test = { http = { path = '/', status = 200 } }", "test.http", "needs a port to ask", "give"),
    (
        "port = 1\ntest = { http = { path = '/', status = 200, timeout = 'x' } }",
        "test.http.timeout",
        'should be a time such as "30s"',
        "",
    ),
]


@pytest.mark.parametrize(("keys", "key", "message", "hint"), KEYS, ids=[k[0] for k in KEYS])
def test_one_problem_of_a_service(told, keys, key, message, hint):
    """One wrong key gives one problem, at its line, with its key, in plain words."""
    (problem,) = told(f"{HEAD}{keys}\n")
    assert problem.key == f"service.web.{key}"
    assert message in problem.message
    assert hint in problem.hint
    name = key.split("[")[0].split(".")[0]
    lines = (HEAD + keys).split("\n")
    assert lines[problem.line - 1].startswith(name)


WHOLE = [
    ("", 1, "stack", "is missing"),
    ('[stack]\nname = "x"\n', 1, "service", "is missing"),
    ("[stack]\n[service.a]\nimage='i'\n", 1, "stack.name", "is missing"),
    ('[stack]\nname = "Shop"\n[service.a]\nimage="i"\n', 2, "stack.name", "small letters"),
    ("stack = 1\n[service.a]\nimage='i'\n", 1, "stack", "should be a table, not 1"),
    ('service = 1\n[stack]\nname="x"\n', 1, "service", "should be a table of services"),
    (f"{HEAD}[extra]\n", 5, "extra", "unknown key; allowed: stack, service, environment"),
    (f"{HEAD}[service.Db]\nimage='i'\n", 5, "service.Db", "small letters"),
    (f"{HEAD}[service.localhost]\nimage='i'\n", 5, "service.localhost", "can't be localhost"),
    (f"{HEAD}[service.x]\nport=1\n", 5, "service.x", "has no image"),
    (f"{HEAD}[service]\nx = 1\n", 6, "service.x", "should be a table, not 1"),
    (f"{HEAD}[environment.p]\nx = 1\n", 6, "environment.p.x", "unknown key; allowed: service"),
    (
        f"{HEAD}[environment.p.service.wbe]\nport = 1\n",
        5,
        "environment.p.service.wbe",
        "no such service",
    ),
    (
        f"{HEAD}[environment.p.service.web]\nprot = 1\n",
        6,
        "environment.p.service.web.prot",
        "unknown key",
    ),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), WHOLE)
def test_one_problem_of_the_file(told, text, line, key, message):
    """What is wrong with the file as a whole has a line and a key too."""
    problems = [problem for problem in told(text) if problem.key == key]
    assert len(problems) == 1
    assert problems[0].line == line
    assert message in problems[0].message


def test_every_problem_at_once_by_line(told):
    """All problems come together, sorted by line, each once."""
    problems = told(
        '[stack]\nname = "X"\n[service.web]\nimge = "i"\nport = 0\nuses = ["db"]\n'
        "[service.web.test.image]\nuser = 1\n[service.cache]\nimage = 1\nlimits = 5\n"
    )
    assert [problem.line for problem in problems] == [2, 4, 5, 6, 8, 10, 11]


def test_a_broken_key_brings_no_further_problems(told):
    """Nothing is said of what follows from a problem that is told already."""
    (problem,) = told(f'{HEAD}prt = 80\nroute = "a"\nhealth = "/x"\n')
    assert problem.key == "service.web.prt"


def test_circle_is_named_once(told):
    """A circle of uses names its services."""
    (problem,) = told(
        '[stack]\nname = "x"\n'
        '[service.a]\nimage = "i"\nport = 1\nuses = ["b"]\n'
        '[service.b]\nimage = "i"\nport = 1\nuses = ["c"]\n'
        '[service.c]\nimage = "i"\nport = 1\nuses = ["b"]\n'
    )
    assert (problem.line, problem.key) == (14, "service.c.uses[0]")
    assert "b uses c uses b" in problem.message


def test_uses_of_a_service_without_a_port(told):
    """What is used must have a port to call."""
    (problem,) = told(f'{HEAD}uses = ["job"]\n[service.job]\nimage = "i"\n')
    assert (problem.line, problem.message) == (5, '"job" has no port to call')


def test_two_services_claim_one_route(told):
    """The second claim is told, with the service that has the route."""
    (problem,) = told(
        f'{HEAD}port = 1\nroute = "a/x"\n[service.two]\nimage = "i"\nport = 2\nroute = "A/x/"\n'
    )
    assert (problem.line, problem.key) == (10, "service.two.route")
    assert '"web" has the route a/x already' in problem.message


def test_one_port_one_protocol(told):
    """The services of a stack that share a port number speak the same there."""
    (problem,) = told(f'{HEAD}port = 5432\nroute = "a"\n{DB}')
    assert (problem.line, problem.key) == (9, "service.db.port")
    assert "on one port of a stack all speak the same" in problem.message


def test_one_caller_two_tcp_services_on_one_port(told, load):
    """A caller can't tell two TCP services on one port apart; two callers can."""
    two = f'{DB}[service.old]\nimage = "i"\nport = 5432\n'
    (problem,) = told(f'{HEAD}uses = ["db", "old"]\n{two}')
    assert (problem.line, problem.key) == (5, "service.web.uses[1]")
    assert load(f'{HEAD}uses = ["db"]\n{two}').name == "shop"


def test_build_folder_and_dockerfile_must_be_there(told, tmp_path):
    """A build needs its folder and its Dockerfile."""
    (tmp_path / "bare").mkdir()
    head = '[stack]\nname = "x"\n[service.a]\n'
    (problem,) = told(f'{head}build = "nope"\n')
    assert problem.message == "there is no such folder beside the stack file"
    (problem,) = told(f'{head}build = "bare"\n')
    assert problem.message == "the folder has no Dockerfile"
    (problem,) = told(f'{head}build = {{ context = "app", dockerfile = "x" }}\n')
    assert problem.key == "service.a.build.dockerfile"


def test_unknown_environment_lists_the_known(told):
    """An environment that the file does not name is an error with those that it names."""
    text = f"{HEAD}[environment.staging]\n[environment.production]\n"
    (problem,) = told(text, environment="producton")
    assert "there are: staging, production" in problem.message
    assert problem.hint == 'did you mean "production"?'


def test_problem_of_a_chosen_overlay_is_told_where_it_is_written(told):
    """A value that came from an overlay has the overlay's line and key."""
    text = f"{HEAD}port = 1\n[environment.p.service.web]\nport = 0\n"
    (problem,) = told(text, environment="p")
    assert (problem.line, problem.key) == (7, "environment.p.service.web.port")


def test_messages_show_what_was_written_and_no_variable(told):
    """A value may have come from a secret variable: only the text of the file is shown."""
    problems = told(
        f'{HEAD}port = "${{SECRET}}"\nimage = "${{SECRET}}"\n'.replace('image = "i"\n', ""),
        env={"SECRET": "Hunter 2"},
    )
    text = "\n".join(str(problem) for problem in problems)
    assert 'not "${SECRET}"' in text
    assert "Hunter" not in text


def test_env_file_problems_have_its_own_lines(told, tmp_path):
    """What is wrong in an env_file is told with that file's line, without values."""
    (tmp_path / "x.env").write_text("A=1\r\n\r\n\n# c\nB\n\n\nC='hunter\n")
    problems = told(f'{HEAD}env_file = "x.env"\n')
    assert [(p.file, p.line, p.message[:12]) for p in problems] == [
        ("x.env", 5, "has no value"),
        ("x.env", 8, "should be NA"),
    ]
    assert "hunter" not in str(problems)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (b"a = \n", 1, "not valid TOML"),
        (b"[stack]\nname = shop\n", 2, "not valid TOML: Invalid value"),
        (b"a = 1\na = 2\n", 2, "not valid TOML"),
        (b"ok = 1\n# \xff\n", 2, "is not UTF-8 text"),
        (b"a = " + b"[" * 5000, 1, "is nested too deeply"),
        (b"a" + b".a" * 50 + b" = 1", 1, "is nested more than 32 levels deep"),
        (b"a = " + b"1" * 5000, 1, "not valid TOML"),
        (b"#" * 1_000_001, 0, "is larger than 1 MB"),
    ],
)
def test_files_that_are_no_toml(tmp_path, source, line, message):
    """Syntax errors and files of another kind have a message and, where there is one, a line."""
    path = tmp_path / "stack.toml"
    path.write_bytes(source)
    with pytest.raises(BadInput) as caught:
        load_stack(path, env={})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(path), line)
    assert problem.message.startswith(message)


def test_files_that_are_none(tmp_path):
    """A missing file, a folder and a file that can't be read are told apart."""
    (tmp_path / "stack.toml").write_text("")
    cases = [
        (tmp_path / "x.toml", "there is no such file", "cdeploy init"),
        (tmp_path, "is a folder", "stack.toml"),
        (tmp_path / ("y" * 300), "can't be read", ""),
    ]
    for path, message, hint in cases:
        with pytest.raises(BadInput) as caught:
            load_stack(path, env={})
        assert message in caught.value.problems[0].message
        assert hint in caught.value.problems[0].hint


def test_reserved_environment(tmp_path):
    """Names that cdeploy gives to every container itself are refused, with what they are."""
    file = tmp_path / "stack.toml"
    file.write_text(
        '[stack]\nname = "shop"\n[service.web]\nimage = "web:1"\nenv = { CDEPLOY_RELEASE = "x" }\n'
    )
    with pytest.raises(BadInput) as caught:
        load_stack(file, env={})
    (problem,) = caught.value.problems
    assert problem.line == 5
    assert "reserved" in problem.message
