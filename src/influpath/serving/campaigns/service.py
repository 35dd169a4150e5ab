"""The only door to campaigns: every method takes a ``Caller`` first and checks its role.

Safe to call from several threads and processes at once.  What a method has answered is on disk.
Errors of all methods: ``ForbiddenError`` where the role does not allow it, ``NotFoundError`` for
what is not there or another tenant's, ``ConflictError``, ``NotReadyError`` without an active
model, and those of ``influpath.errors`` for what was given wrongly.

    running.py, deciding.py, choosing.py, situation.py   next
    answering.py, ledger.py, arriving.py                 feedback
    people.py, departing.py                              user, opt_out, exclude, goals, deletion
    managing.py, ending.py, terms.py                     campaigns, exclusions of the tenant
    versions.py                                          models, ready
    reports.py, counting.py                              report
    searching.py                                         plan, audience, search
    trail.py, plain_language.py                          audit
"""

from influpath.serving.campaigns.answering import Answering
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.people import People
from influpath.serving.campaigns.reports import Reports
from influpath.serving.campaigns.running import Running
from influpath.serving.campaigns.searching import Searching
from influpath.serving.campaigns.trail import Trail
from influpath.serving.campaigns.versions import Versions

__all__ = ["Caller", "Service"]


class Service(Running, Answering, People, Versions, Reports, Searching, Trail):
    """Campaigns, users, models and their audit log; see ``Base`` for what it takes."""
