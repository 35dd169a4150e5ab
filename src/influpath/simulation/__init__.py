"""The closed loop: users who accept, reject, ignore, go their own ways and leave.

    users = JudgeUserModel(judge)  # or TruthUserModel(world.truth(dataset), dataset)
    visits = simulate(IRNPlanner(irn), users, pairs, split.train, LoopConfig(seed=1))
    print(visits.ends)

What users do depends on what they took in, on chance that is the same for every planner, and on the
loop's settings; a planner has no say in it.
"""

from influpath.simulation.audience import Audience, LoopConfig
from influpath.simulation.judge_users import JudgeUserModel, JudgeUsersConfig
from influpath.simulation.loop import simulate
from influpath.simulation.truth_users import TruthUserModel
from influpath.simulation.users import UserModel, Users
from influpath.simulation.visits import Visits

__all__ = [
    "Audience",
    "JudgeUserModel",
    "JudgeUsersConfig",
    "LoopConfig",
    "TruthUserModel",
    "UserModel",
    "Users",
    "Visits",
    "simulate",
]
