"""Load for the tests: clients that notice every request that was lost, and who answered."""

from tests.load.profile import Profile
from tests.load.result import Answer, Failure, Result
from tests.load.run import Load, load

__all__ = ["Answer", "Failure", "Load", "Profile", "Result", "load"]
