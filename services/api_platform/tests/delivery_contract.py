"""What delivery promises, whatever database is behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy.exc import NoResultFound
from standardwebhooks.webhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError as RefusedError

from services.api_platform.delivery import SCHEDULE, Choice
from services.api_platform.models import DeliveryState
from services.api_platform.tests.delivery_scene import (
    BODY,
    TARGET,
    Scene,
    answer,
    never,
    scene_on,
    spoil_secret,
    until,
)
from services.api_platform.toggles import CANARY, CanarySettings
from shared.crypto import (
    WebhookVerifier,
    generate_webhook_key_pair,
    generate_webhook_secret,
)
from shared.errors import ServiceUnavailableException
from shared.events import WebhookDeliveryFailedEvent, WebhookDisabledEvent
from shared.http_client import AddressNotPublicError, Fault, FaultKind, Reply

PENDING, DELIVERED, FAILED = (
    DeliveryState.PENDING,
    DeliveryState.DELIVERED,
    DeliveryState.FAILED,
)
OTHER = "https://other.example.com/in"


class DeliveryContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest_asyncio.fixture
    async def scene(self, url: str) -> AsyncIterator[Scene]:
        """A database with tables, and one worker."""
        async with scene_on(url) as scene:
            yield scene

    async def test_a_delivery_is_signed_and_sent_as_it_is_stored(
        self, scene: Scene
    ) -> None:
        """The public library believes it; the row says that it is over."""
        secret = generate_webhook_secret()
        webhook = await scene.webhook(secret=secret)
        [event_id] = await scene.deliver(webhook)

        assert await scene.finish() == 1
        [request] = scene.targets.requests
        assert (request.url, request.body) == (TARGET, BODY)
        assert sorted(request.headers) == [
            "content-type",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
            "x-correlation-id",
        ]
        assert request.headers["webhook-id"] == str(event_id)
        assert request.headers["content-type"] == "application/json"
        assert request.headers["x-correlation-id"] == "abc-123"
        said = Receiver(secret).verify(request.body, dict(request.headers))
        assert said["type"] == "generation.completed"
        [delivery] = await scene.deliveries()
        assert (delivery.state, delivery.attempts) == (DELIVERED, 1)
        assert delivery.finished_at == scene.clock()
        assert (delivery.lease_until, delivery.lease_token) == (None, None)
        [attempt] = await scene.attempts()
        assert (attempt.number, attempt.status_code) == (1, 204)
        assert (attempt.error_code, attempt.settings) == (None, "stable")
        assert await scene.finish() == 0

    async def test_a_success_leaves_the_webhook_as_it_is(self, scene: Scene) -> None:
        """Neither its version nor its time: nobody changed it."""
        webhook = await scene.webhook()
        await scene.deliver(webhook)
        await scene.finish()

        now = await scene.look_at(webhook)
        assert (now.version, now.updated_at) == (1, webhook.updated_at)
        assert await scene.events() == []

    async def test_a_rotation_signs_with_both_secrets(self, scene: Scene) -> None:
        """Within the grace; behind it only with the new one."""
        old, new = generate_webhook_secret(), generate_webhook_secret()
        webhook = await scene.webhook(
            secret=new,
            previous_secret=old,
            previous_valid_until=scene.clock() + timedelta(seconds=60),
        )
        await scene.deliver(webhook)
        await scene.finish()
        scene.pass_time(seconds=60)
        await scene.deliver(webhook)
        await scene.finish()

        within, behind = scene.targets.requests
        for secret in (old, new):
            Receiver(secret).verify(within.body, dict(within.headers))
        Receiver(new).verify(behind.body, dict(behind.headers))
        with pytest.raises(RefusedError, match="No matching signature"):
            Receiver(old).verify(behind.body, dict(behind.headers))

    async def test_a_key_pair_signs_too(self, scene: Scene) -> None:
        """v1a, and v1 beside it while a webhook moves from one to the other."""
        pair, old = generate_webhook_key_pair(), generate_webhook_secret()
        webhook = await scene.webhook(
            secret=pair.secret,
            previous_secret=old,
            previous_valid_until=scene.clock() + timedelta(seconds=60),
        )
        await scene.deliver(webhook)
        await scene.finish()

        [request] = scene.targets.requests
        for key in (pair.public, old):
            WebhookVerifier(key).verify(
                request.headers, request.body, now=scene.clock()
            )
        signatures = request.headers["webhook-signature"].split()
        assert [each.partition(",")[0] for each in signatures] == ["v1a", "v1"]

    async def test_failures_follow_the_schedule_and_end(self, scene: Scene) -> None:
        """Ten attempts in 75 hours; each is logged, and the owner hears of two."""
        webhook = await scene.webhook()
        [event_id] = await scene.deliver(webhook)
        scene.targets.all_say(answer(500))
        began = scene.clock()

        for pause in (*SCHEDULE, timedelta(days=30)):
            await scene.finish()
            scene.clock.advance(pause - timedelta(seconds=1))
            assert await scene.finish() == 0
            scene.pass_time(seconds=1)

        times = [request.at - began for request in scene.targets.requests]
        expected = [sum(SCHEDULE[:n], timedelta()) for n in range(10)]
        assert times == expected
        assert times[-1] // timedelta(hours=1) == 75
        assert set(scene.targets.events) == {str(event_id)}
        [delivery] = await scene.deliveries()
        assert (delivery.state, delivery.attempts) == (FAILED, 10)
        attempts = await scene.attempts()
        assert [each.number for each in attempts] == [*range(1, 11)]
        assert {(a.status_code, a.error_code) for a in attempts} == {
            (500, "server_error")
        }
        first, last = await scene.events()
        assert isinstance(first, WebhookDeliveryFailedEvent)
        assert isinstance(last, WebhookDeliveryFailedEvent)
        assert first.payload.next_attempt_at == began + SCHEDULE[0]
        assert (last.payload.attempt, last.payload.next_attempt_at) == (10, None)
        assert (last.payload.user_id, last.payload.delivered_event_id) == (
            webhook.user_id,
            event_id,
        )
        assert (last.correlation_id, last.causation_id) == ("abc-123", event_id)

    async def test_a_success_ends_a_row_of_failures(self, scene: Scene) -> None:
        """What was counted is forgotten."""
        webhook = await scene.webhook()
        await scene.deliver(webhook)
        scene.targets.all_say(answer(503), answer(200))
        await scene.finish()
        failing = await scene.look_at(webhook)
        scene.pass_time(seconds=5)
        await scene.finish()
        well = await scene.look_at(webhook)

        assert (failing.consecutive_failures, failing.failing_since) == (
            1,
            scene.targets.requests[0].at,
        )
        assert (well.consecutive_failures, well.failing_since) == (0, None)
        assert well.version == webhook.version

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            (answer(301, location="https://elsewhere.example/"), "redirect"),
            (answer(304), "redirect"),
            (answer(404), "client_error"),
            (answer(429), "client_error"),
            (answer(599), "server_error"),
            (answer(999), "server_error"),
            (AddressNotPublicError("no"), "address_not_allowed"),
            (OSError("no such name"), "name_not_resolved"),
            (TimeoutError(), "timed_out"),
            (Fault(FaultKind.NO_CONNECTION), "connection_failed"),
            (Fault(FaultKind.TIMED_OUT), "timed_out"),
            (Fault(FaultKind.BROKEN), "connection_broken"),
        ],
        ids=str,
    )
    async def test_each_failure_has_its_code(
        self, scene: Scene, said: Reply | Exception, code: str
    ) -> None:
        """And is tried again."""
        await scene.deliver(await scene.webhook())
        scene.targets.all_say(said)
        await scene.finish()

        [attempt] = await scene.attempts()
        assert attempt.error_code == code
        assert attempt.status_code == getattr(said, "status_code", None)
        assert await scene.states() == [PENDING]
        [event] = await scene.events()
        assert isinstance(event, WebhookDeliveryFailedEvent)
        assert event.payload.error_code == code

    @pytest.mark.parametrize("kind", [FaultKind.TOO_LARGE, FaultKind.UNDECODABLE])
    async def test_the_body_of_a_success_is_nothing_to_us(
        self, scene: Scene, kind: FaultKind
    ) -> None:
        """A target that answers 200 with a film has got the event all the same."""
        await scene.deliver(await scene.webhook())
        scene.targets.all_say(Fault(kind))
        await scene.finish()

        assert await scene.states() == [DELIVERED]

    async def test_retry_after_makes_a_pause_longer(self, scene: Scene) -> None:
        """In seconds or as a date; up to a day, and never shorter than the schedule."""
        for said, pause in (
            ("120", timedelta(seconds=120)),
            (
                format_datetime(scene.clock() + timedelta(hours=2), usegmt=True),
                timedelta(hours=2),
            ),
            ("1", SCHEDULE[0]),
            ("9" * 400, timedelta(hours=24)),
            (str(10 * 365 * 86_400), timedelta(hours=24)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(hours=24)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", SCHEDULE[0]),
            ("-120", SCHEDULE[0]),
            ("1e9", SCHEDULE[0]),
            ("120, 7200", SCHEDULE[0]),
            ("soon", SCHEDULE[0]),
        ):
            webhook = await scene.webhook()
            [event_id] = await scene.deliver(webhook)
            scene.targets.all_say(answer(503, retry_after=said))
            await scene.worker.round()
            found = {each.event_id: each for each in await scene.deliveries()}
            assert found[event_id].next_attempt_at == scene.clock() + pause, said
            await scene.delete(webhook)

    async def test_gone_disables_at_once(self, scene: Scene) -> None:
        """What waits for the endpoint is given up, and its owner is told why."""
        webhook = await scene.webhook()
        other = await scene.webhook(target_url=OTHER)
        await scene.deliver(webhook)
        await scene.deliver(webhook, next_attempt_at=scene.clock() + timedelta(hours=1))
        await scene.deliver(other)
        scene.targets.all_say(answer(410))
        await scene.finish()

        now = await scene.look_at(webhook)
        assert (now.is_active, now.disabled_reason) == (False, "gone")
        assert await scene.states() == [FAILED, FAILED, DELIVERED]
        failed, disabled = await scene.events()
        assert isinstance(failed, WebhookDeliveryFailedEvent)
        assert (failed.payload.error_code, failed.payload.next_attempt_at) == (
            "gone",
            None,
        )
        assert isinstance(disabled, WebhookDisabledEvent)
        assert disabled.payload.webhook_id == webhook.id
        assert disabled.payload.error_code == "gone"
        assert disabled.correlation_id == "abc-123"
        scene.pass_time(days=30)
        assert await scene.finish() == 0

    async def test_five_days_of_failure_disable(self, scene: Scene) -> None:
        """However many deliveries those were, and not a second before."""
        webhook = await scene.webhook()
        scene.targets.all_say(answer(500))
        await scene.deliver(webhook)
        for _ in range(2):
            await scene.finish()
            scene.pass_time(hours=47)
        await scene.finish()
        scene.pass_time(hours=26, seconds=-1)
        await scene.deliver(webhook)
        assert await scene.finish() > 0
        assert (await scene.look_at(webhook)).is_active

        scene.pass_time(seconds=1)
        await scene.deliver(webhook)
        await scene.finish()
        now = await scene.look_at(webhook)
        assert (now.is_active, now.disabled_reason) == (False, "too_many_failures")
        assert set(await scene.states()) == {FAILED}
        [disabled] = [
            event
            for event in await scene.events()
            if isinstance(event, WebhookDisabledEvent)
        ]
        assert disabled.payload.reason == "too_many_failures"
        assert disabled.payload.error_code == "server_error"
        assert disabled.payload.consecutive_failures == now.consecutive_failures

    async def test_days_without_an_attempt_are_no_days_of_failure(
        self, scene: Scene
    ) -> None:
        """An endpoint with an event a month is not judged by what nobody tried."""
        webhook = await scene.webhook()
        scene.targets.all_say(answer(500))
        await scene.deliver(webhook)
        for pause in (*SCHEDULE, timedelta(days=30)):
            await scene.finish()
            scene.clock.advance(pause)
        await scene.deliver(webhook)
        await scene.finish()

        now = await scene.look_at(webhook)
        assert (now.is_active, now.failing_since) == (True, scene.clock())
        assert now.consecutive_failures == 1
        assert await scene.states() == [FAILED, PENDING]

    async def test_two_failures_are_no_five_days_of_failure(self, scene: Scene) -> None:
        """Between them nobody tried: it may have been well for days."""
        webhook = await scene.webhook()
        scene.targets.all_say(answer(500))
        await scene.deliver(webhook)
        await scene.finish()
        scene.pass_time(days=5)
        await scene.deliver(webhook)
        await scene.finish()

        now = await scene.look_at(webhook)
        assert (now.is_active, now.failing_since) == (True, scene.clock())

    async def test_failures_day_after_day_disable(self, scene: Scene) -> None:
        """The row is one though no two of them are close."""
        webhook = await scene.webhook()
        scene.targets.all_say(answer(500))
        for _ in range(5):
            await scene.deliver(webhook)
            await scene.finish()
            scene.pass_time(days=1)
        assert (await scene.look_at(webhook)).is_active

        await scene.deliver(webhook)
        await scene.finish()
        assert not (await scene.look_at(webhook)).is_active

    async def test_a_success_in_five_days_disables_nothing(self, scene: Scene) -> None:
        """The days are counted from the first failure of an unbroken row."""
        webhook = await scene.webhook()
        for status in (500, 200, 500):
            scene.targets.all_say(answer(status))
            await scene.deliver(webhook)
            await scene.finish()
            scene.pass_time(days=3)

        assert (await scene.look_at(webhook)).is_active

    async def test_what_waits_for_a_disabled_webhook_is_given_up(
        self, scene: Scene
    ) -> None:
        """Its owner disabled it: nothing is sent."""
        webhook = await scene.webhook()
        await scene.deliver(webhook, 3)
        await scene.change(webhook, is_active=False)

        assert await scene.finish() == 0
        assert await scene.states() == [FAILED] * 3
        assert scene.targets.requests == []

    async def test_a_webhook_that_is_disabled_meanwhile_gets_no_retry(
        self, scene: Scene
    ) -> None:
        """An attempt that was under way is the last one."""
        webhook = await scene.webhook()
        await scene.deliver(webhook)

        async def say() -> Reply:
            await scene.change(webhook, is_active=False)
            return answer(500)

        scene.targets.all_say(say)
        await scene.finish()
        assert await scene.states() == [FAILED]

    async def test_a_webhook_that_is_deleted_meanwhile_is_no_fault(
        self, scene: Scene
    ) -> None:
        """There is nothing to write, and others are delivered."""
        webhook, other = await scene.webhook(), await scene.webhook(target_url=OTHER)
        await scene.deliver(webhook)
        await scene.deliver(other)

        async def say() -> Reply:
            await scene.delete(webhook)
            return answer(500)

        scene.targets.all_say(say)
        await scene.finish()
        assert await scene.states() == [DELIVERED]
        assert await scene.events() == []

    async def test_no_event_tells_of_deliveries_about_webhooks(
        self, scene: Scene
    ) -> None:
        """An endpoint that hears of failures and fails would make more each time."""
        webhook = await scene.webhook()
        await scene.deliver(webhook, event_type="webhook.delivery_failed")
        scene.targets.all_say(answer(500))
        for pause in (*SCHEDULE, timedelta()):
            await scene.finish()
            scene.clock.advance(pause)

        assert await scene.states() == [FAILED]
        assert await scene.events() == []

    async def test_an_ordered_webhook_gets_one_after_the_other(
        self, scene: Scene
    ) -> None:
        """One that waits for its retry holds up those behind it, and nobody else."""
        webhook = await scene.webhook(ordered=True)
        other = await scene.webhook(target_url=OTHER)
        expected = await scene.deliver(webhook, 3)
        await scene.deliver(other, 3)
        scene.targets.all_say(answer(500), answer(204))

        await scene.finish()
        assert Counter(each.url for each in scene.targets.requests) == {
            TARGET: 1,
            OTHER: 3,
        }
        scene.pass_time(seconds=5)
        await scene.finish()
        to_it = [r for r in scene.targets.requests if r.url == TARGET]
        heard = [UUID(each.headers["webhook-id"]) for each in to_it]
        assert heard == [expected[0], *expected]
        assert scene.targets.most_to[TARGET] == 1

    async def test_order_holds_among_workers(self, scene: Scene) -> None:
        """While one has the first, no other gets the second."""
        webhook = await scene.webhook(ordered=True)
        expected = await scene.deliver(webhook, 10)
        workers = [scene.make_worker() for _ in range(3)]

        async def work(number: int) -> None:
            while await scene.states() != [DELIVERED] * 10:
                await workers[number].round()

        await asyncio.gather(*map(work, range(3)))
        assert scene.targets.events == [str(each) for each in expected]
        assert scene.targets.most == 1

    async def test_an_ordered_webhook_goes_on_behind_what_is_given_up(
        self, scene: Scene
    ) -> None:
        """In the end nothing is held up for ever."""
        webhook = await scene.webhook(ordered=True)
        first, second = await scene.deliver(webhook, 2)
        scene.targets.all_say(*[answer(500)] * 10, answer(204))
        for pause in (*SCHEDULE, timedelta()):
            await scene.finish()
            scene.clock.advance(pause)

        assert await scene.states() == [FAILED, DELIVERED]
        assert scene.targets.events == [str(first)] * 10 + [str(second)]

    async def test_a_lease_that_ended_is_taken_over(self, scene: Scene) -> None:
        """Whoever comes back late changes neither state nor count.

        The attempt was made, so its owner sees both.
        """
        webhook = await scene.webhook()
        await scene.deliver(webhook)
        back = asyncio.Event()

        async def late() -> Reply:
            await back.wait()
            return answer(500)

        scene.targets.all_say(late, answer(204))
        late_worker = asyncio.create_task(scene.worker.round())
        await until(lambda: scene.targets.requests)
        second = scene.make_worker()
        assert await second.round() == 0
        scene.pass_time(seconds=45)
        assert await second.round() == 1

        back.set()
        await late_worker
        assert len(scene.targets.requests) == 2
        assert await scene.states() == [DELIVERED]
        attempts = await scene.attempts()
        assert [(each.number, each.status_code) for each in attempts] == [
            (1, 204),
            (1, 500),
        ]
        assert (await scene.look_at(webhook)).consecutive_failures == 0
        assert await scene.events() == []
        assert scene.counted(
            "webhook_deliveries_total", settings="stable", outcome="stale"
        )

    async def test_who_is_late_while_another_has_it_changes_nothing(
        self, scene: Scene
    ) -> None:
        """The token is that of the lease, not of the row."""
        await scene.deliver(await scene.webhook())
        answers = [asyncio.Event(), asyncio.Event()]

        async def first() -> Reply:
            await answers[0].wait()
            return answer(204)

        async def second() -> Reply:
            await answers[1].wait()
            return answer(500)

        scene.targets.all_say(first, second)
        stale = asyncio.create_task(scene.worker.round())
        await until(lambda: scene.targets.requests)
        scene.pass_time(seconds=45)
        holder = asyncio.create_task(scene.make_worker().round())
        await until(lambda: len(scene.targets.requests) == 2)

        answers[0].set()
        await stale
        [late] = await scene.attempts()
        assert (await scene.states(), late.status_code) == ([PENDING], 204)
        answers[1].set()
        await holder
        assert [each.status_code for each in await scene.attempts()] == [204, 500]
        assert await scene.states() == [PENDING]

    async def test_an_answer_to_what_was_given_up_is_in_the_log(
        self, scene: Scene
    ) -> None:
        """Its owner disabled the webhook meanwhile; the target got it all the same."""
        webhook = await scene.webhook()
        await scene.deliver(webhook)

        async def say() -> Reply:
            await scene.change(webhook, is_active=False)
            await scene.give_up(webhook)
            return answer(204)

        scene.targets.all_say(say)
        await scene.finish()
        [attempt] = await scene.attempts()
        assert (await scene.states(), attempt.status_code) == ([FAILED], 204)

    async def test_a_worker_that_dies_loses_nothing(self, scene: Scene) -> None:
        """Killed between the answer and the commit: the target gets it again."""
        webhook = await scene.webhook()
        [event_id] = await scene.deliver(webhook)
        scene.targets.all_say(never, answer(204))
        await scene.worker.begin()
        await until(lambda: scene.targets.requests)
        # It is never heard of again, as behind kill -9.
        second = scene.make_worker()
        assert await scene.finish(second) == 0
        scene.pass_time(seconds=45)
        assert await scene.finish(second) == 1
        assert scene.targets.events == [str(event_id)] * 2
        assert await scene.states() == [DELIVERED]

    async def test_a_database_that_is_away_delays_and_loses_nothing(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The result is written when it is back, within the lease."""
        await scene.deliver(await scene.webhook())
        store = scene.worker._store
        really, away = type(store).record, [ServiceUnavailableException()] * 3

        async def record(self: object, attempts: object) -> object:
            if away:
                raise away.pop()
            return await really(store, attempts)  # type: ignore[arg-type]

        monkeypatch.setattr(type(store), "record", record)
        await scene.finish()
        assert await scene.states() == [DELIVERED]
        assert len(scene.targets.requests) == 1

    async def test_a_result_that_comes_too_late_is_dropped(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the lease is over it is another worker's, which tries again."""
        await scene.deliver(await scene.webhook())

        async def record(self: object, attempts: object) -> object:
            raise ServiceUnavailableException

        with monkeypatch.context() as patched:
            patched.setattr(type(scene.store), "record", record)
            assert await scene.worker.round() == 1
        assert await scene.states() == [PENDING]
        assert await scene.finish() == 1
        assert await scene.states() == [DELIVERED]

    async def test_workers_share_the_work(self, scene: Scene) -> None:
        """Each delivery is made once while nobody dies."""
        webhooks = [
            await scene.webhook(target_url=f"https://h{n}.example/") for n in range(5)
        ]
        expected = [
            event for each in webhooks for event in await scene.deliver(each, 40)
        ]
        workers = [scene.make_worker(concurrency=10) for _ in range(4)]

        async def work(number: int) -> None:
            while set(await scene.states()) != {DELIVERED}:
                await workers[number].round()

        await asyncio.gather(*map(work, range(4)))
        assert Counter(scene.targets.events) == Counter(str(each) for each in expected)
        assert len(await scene.attempts()) == 200

    async def test_there_are_not_too_many_at_a_time(self, scene: Scene) -> None:
        """Neither in all, nor to one endpoint."""
        for number in range(12):
            url = f"https://h{number}.example/"
            await scene.deliver(await scene.webhook(target_url=url), 5)
        await scene.deliver(await scene.webhook(), 20)
        worker = scene.make_worker(concurrency=10, per_endpoint=3)
        await scene.finish(worker)

        assert await scene.states() == [DELIVERED] * 80
        assert scene.targets.most == 10
        assert max(scene.targets.most_to.values()) == 3

    async def test_a_crowd_does_not_stand_before_a_single_event(
        self, scene: Scene
    ) -> None:
        """Though it is older."""
        await scene.deliver(await scene.webhook(), 500)
        scene.pass_time(seconds=1)
        await scene.deliver(await scene.webhook(target_url=OTHER))
        await scene.make_worker(concurrency=10, per_endpoint=4).round()

        assert OTHER in [request.url for request in scene.targets.requests]

    async def test_a_target_that_does_not_answer_holds_up_only_itself(
        self, scene: Scene
    ) -> None:
        """With all that it may have under way, others get theirs."""
        await scene.deliver(await scene.webhook(), 20)
        scene.targets.all_say(never)
        worker = scene.make_worker(concurrency=20, per_endpoint=4)
        hanging = asyncio.create_task(worker.round())
        await until(lambda: len(scene.targets.requests) == 4)
        await scene.deliver(await scene.webhook(target_url=OTHER), 3)

        assert await worker.begin() == 3
        await until(lambda: len(scene.targets.requests) == 7)
        hanging.cancel()
        await worker.stop(timeout=0)

    async def test_targets_of_one_user_that_do_not_answer_leave_room_for_others(
        self, scene: Scene
    ) -> None:
        """However many webhooks it has: nobody can have all that there is."""
        user = uuid4()
        for number in range(12):
            url = f"https://h{number}.example/"
            greedy = await scene.webhook(user_id=user, target_url=url)
            await scene.deliver(greedy, 5)
            scene.targets.all_say(never, url=url)
        worker = scene.make_worker(concurrency=16, per_endpoint=4)
        taken = 0
        while begun := await worker.begin():
            taken += begun
        await scene.deliver(await scene.webhook(target_url=OTHER))

        assert taken == 8
        assert await worker.begin() == 1
        await worker.stop(timeout=0)

    async def test_webhooks_of_one_user_do_not_stand_before_those_of_others(
        self, scene: Scene
    ) -> None:
        """Though there are more of them than a look finds, and all were due before."""
        user = uuid4()
        for number in range(30):
            url = f"https://h{number}.example/"
            many = await scene.webhook(user_id=user, target_url=url)
            await scene.deliver(many, 5)
        scene.pass_time(seconds=1)
        await scene.deliver(await scene.webhook(target_url=OTHER))
        await scene.make_worker(concurrency=4, per_endpoint=2).round()

        assert OTHER in [request.url for request in scene.targets.requests]

    async def test_a_secret_that_can_not_be_read_fails_alone(
        self, scene: Scene
    ) -> None:
        """Its deliveries wait for us to mend it; those of others are made."""
        broken = await scene.webhook()
        await scene.deliver(broken)
        await spoil_secret(scene, broken)
        await scene.deliver(await scene.webhook(target_url=OTHER))
        await scene.finish()

        assert await scene.states() == [PENDING, DELIVERED]
        assert [request.url for request in scene.targets.requests] == [OTHER]

    @pytest.mark.parametrize("said", [Fault(FaultKind.INTERNAL), RuntimeError("x")])
    async def test_our_own_faults_are_no_attempts(
        self, scene: Scene, said: Exception
    ) -> None:
        """For ten days, and then it is mended: the customer has lost nothing."""
        webhook = await scene.webhook()
        [event_id] = await scene.deliver(webhook)
        scene.targets.all_say(said)
        for _ in range(20):
            assert await scene.finish() == 1
            scene.pass_time(hours=12)

        assert await scene.attempts() == []
        [held] = await scene.deliveries()
        assert (held.state, held.attempts, held.lease_until) == (PENDING, 0, None)
        now = await scene.look_at(webhook)
        assert (now.is_active, now.consecutive_failures) == (True, 0)
        assert (now.failing_since, now.last_failed_at) == (None, None)
        assert await scene.events() == []
        assert scene.metrics.held_at == scene.clock() - timedelta(hours=12)
        counted = scene.counted(
            "webhook_deliveries_total", settings="stable", outcome="held"
        )
        assert counted == 20
        scene.targets.all_say(answer(204))
        await scene.finish()
        assert scene.targets.events[-1] == str(event_id)
        assert await scene.states() == [DELIVERED]

    async def test_what_waits_for_a_disabled_webhook_ends_in_batches(
        self, scene: Scene
    ) -> None:
        """However much it is, and also what would be due much later."""
        webhook, other = await scene.webhook(), await scene.webhook(target_url=OTHER)
        await scene.deliver(webhook, 30)
        later = scene.clock() + timedelta(hours=20)
        await scene.deliver(webhook, 10, next_attempt_at=later)
        await scene.deliver(other, next_attempt_at=later)
        await scene.change(webhook, is_active=False)

        ended = [await scene.store.end(most=25) for _ in range(3)]
        assert ended == [25, 15, 0]
        assert await scene.states() == [FAILED] * 40 + [PENDING]

    async def test_a_deleted_webhook_goes_in_batches(self, scene: Scene) -> None:
        """With what is over, and itself at last; nothing is sent meanwhile."""
        webhook, other = await scene.webhook(), await scene.webhook(target_url=OTHER)
        await scene.deliver(webhook, 3)
        await scene.finish()
        await scene.deliver(webhook, 4)
        await scene.deliver(other)
        gone = {"is_active": False, "deleted_at": scene.clock()}
        await scene.change(webhook, **gone)

        assert [await scene.store.end(most=5) for _ in range(3)] == [5, 3, 0]
        assert await scene.finish() == 1
        assert await scene.states() == [DELIVERED]
        assert len(await scene.attempts()) == 1
        with pytest.raises(NoResultFound, match="No row was found"):
            await scene.look_at(webhook)

    async def test_nobody_is_told_of_deliveries_of_a_deleted_webhook(
        self, scene: Scene
    ) -> None:
        """An attempt was under way: its owner may be gone as well."""
        webhook = await scene.webhook()
        await scene.deliver(webhook)

        async def say() -> Reply:
            gone = {"is_active": False, "deleted_at": scene.clock()}
            await scene.change(webhook, **gone)
            return answer(500)

        scene.targets.all_say(say)
        await scene.finish()
        assert await scene.deliveries() == []
        assert await scene.events() == []

    async def test_the_usual_settings_have_15_seconds(self, scene: Scene) -> None:
        """For all of it."""
        await scene.deliver(await scene.webhook())
        await scene.finish()

        assert scene.limits == [15.0]

    async def test_a_share_of_endpoints_has_the_newer_settings(
        self, scene: Scene
    ) -> None:
        """Always the same, while the switch is on; both sides are counted."""
        await scene.toggles.set(
            CANARY, enabled=True, settings={"share": 0.5, "timeout_seconds": 30}
        )
        for number in range(20):
            url = f"https://h{number}.example/"
            webhook = await scene.webhook(target_url=url)
            await scene.deliver(webhook, 2)
            scene.targets.all_say(answer(500 if number % 2 else 204), url=url)
        await scene.finish()

        attempts = await scene.attempts()
        by_delivery = {each.id: each.webhook_id for each in await scene.deliveries()}
        sides = {(by_delivery[each.delivery_id], each.settings) for each in attempts}
        assert len(sides) == 20
        assert {settings for _, settings in sides} == {"stable", "canary"}
        rates = await scene.store.rates(scene.clock())
        for settings, rate in rates.items():
            mine = [each for each in attempts if each.settings == settings]
            failed = [each for each in mine if each.error_code]
            assert (rate.attempts, rate.failures) == (len(mine), len(failed))
            counted = {
                outcome: scene.counted(
                    "webhook_deliveries_total", settings=settings, outcome=outcome
                )
                for outcome in ("delivered", "retried")
            }
            assert counted == {
                "delivered": len(mine) - len(failed),
                "retried": len(failed),
            }

    async def test_the_newer_settings_have_their_own_time(self, scene: Scene) -> None:
        """And leases that are long enough for it."""
        await scene.deliver(await scene.webhook())

        async def look() -> Reply:
            [delivery] = await scene.deliveries()
            assert delivery.lease_until == scene.clock() + timedelta(seconds=70)
            return answer(204)

        scene.targets.all_say(look)
        newer = CanarySettings(share=1.0, timeout_seconds=40)
        await scene.make_worker(choice=Choice(newer)).round()
        assert scene.limits == [40.0]
        [attempt] = await scene.attempts()
        assert (attempt.settings, attempt.error_code) == ("canary", None)

    async def test_what_waits_is_measured(self, scene: Scene) -> None:
        """How much, and how late."""
        webhook = await scene.webhook()
        await scene.deliver(webhook, 2)
        later = scene.clock() + timedelta(hours=1)
        await scene.deliver(webhook, next_attempt_at=later)
        scene.pass_time(seconds=30)

        assert await scene.store.backlog() == (3, 2, 30.0)
        await scene.finish()
        assert await scene.store.backlog() == (1, 0, 0.0)

    async def test_what_is_over_goes_when_its_time_has_come(self, scene: Scene) -> None:
        """With its attempts; what is pending stays, however old it is."""
        webhook = await scene.webhook()
        await scene.deliver(webhook, 3)
        await scene.finish()
        scene.pass_time(days=30)
        await scene.deliver(webhook)
        await scene.finish()
        await scene.deliver(webhook)
        scene.pass_time(seconds=1)

        assert await scene.store.clean(timedelta(days=30)) == 3
        assert await scene.store.clean(timedelta(days=30)) == 0
        assert await scene.states() == [DELIVERED, PENDING]
        assert len(await scene.attempts()) == 1

    async def test_stopping_finishes_what_is_under_way(self, scene: Scene) -> None:
        """And leases nothing more."""
        await scene.deliver(await scene.webhook(), 3)
        worker = scene.make_worker(concurrency=1)
        go = asyncio.Event()

        async def slow() -> Reply:
            await go.wait()
            return answer(204)

        scene.targets.all_say(slow)
        running = asyncio.create_task(worker.run())
        await until(lambda: scene.targets.requests)
        stopping = asyncio.create_task(worker.stop(timeout=10))
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(stopping, running)

        assert sorted(await scene.states()) == [DELIVERED, PENDING, PENDING]
        assert {each.lease_until for each in await scene.deliveries()} == {None}

    async def test_stopping_gives_back_what_takes_too_long(self, scene: Scene) -> None:
        """Another worker has it at once, without waiting for the lease's end."""
        await scene.deliver(await scene.webhook(), 3)
        scene.targets.all_say(never)
        running = asyncio.create_task(scene.worker.run())
        await until(lambda: len(scene.targets.requests) == 3)
        await scene.worker.stop(timeout=0)
        await running

        scene.targets.all_say(answer(204))
        assert await scene.finish(scene.make_worker()) == 3
        assert await scene.states() == [DELIVERED] * 3
        assert [each.number for each in await scene.attempts()] == [1, 1, 1]

    async def test_a_loop_that_is_woken_delivers_at_once(self, scene: Scene) -> None:
        """And works off what there is, round after round."""
        webhook = await scene.webhook()
        worker = scene.make_worker(poll=3600.0, busy_poll=3600.0, concurrency=7)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.running)
        await scene.deliver(webhook, 50)
        worker.wake()
        await until(lambda: len(scene.targets.requests) == 50)
        await worker.stop(timeout=10)
        await running

        assert await scene.states() == [DELIVERED] * 50
        assert not worker.running

    async def test_a_loop_survives_a_database_that_is_away(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It looks again."""
        worker = scene.make_worker(poll=0.01, busy_poll=0.01)
        really, errors = type(scene.store).lease, [RuntimeError("x")] * 3

        async def lease(self: object, *args: object, **options: object) -> object:
            if errors:
                raise errors.pop()
            return await really(scene.store, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(type(scene.store), "lease", lease)
        await scene.deliver(await scene.webhook())
        running = asyncio.create_task(worker.run())
        await until(lambda: scene.targets.requests)
        await worker.stop(timeout=10)
        await running
        assert await scene.states() == [DELIVERED]
