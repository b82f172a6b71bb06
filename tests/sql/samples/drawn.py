"""Samples, and questions about them, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import strategies as st

from tests.support.moments import HOUR, micros
from tests.support.sample_model import BUCKETS, DEVICES, ERAS, KINDS, STEPS, USERS
from tests.support.samples import Question, Sample


@dataclass(frozen=True)
class Era:
    """Some days around a change of clocks, of which values and questions are drawn."""

    middle: int
    tz: str
    moments: st.SearchStrategy[int]
    batches: st.SearchStrategy[list[Sample]]

    def questions(self, known: Sequence[int]) -> st.SearchStrategy[Question]:
        """Draw questions whose ends often lie where something was measured."""
        ends = self.moments | st.sampled_from(known)
        whole = st.just((self.middle - 400 * HOUR, self.middle + 400 * HOUR))
        return st.builds(
            lambda user, ends, metrics, device, bucket, zone, points: Question(
                user, *sorted(ends), tuple(metrics), device, bucket, zone, points
            ),
            st.sampled_from(["ada", *USERS]),
            st.tuples(ends, ends) | whole,
            st.just(list(KINDS)) | st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=5),
            st.sampled_from([None, None, *DEVICES]),
            st.sampled_from(BUCKETS),
            st.sampled_from([self.tz, self.tz, *(zone for _, zone in ERAS)]),
            st.sampled_from([1, 30, 1000]),
        )


@st.composite
def eras(draw: st.DrawFn) -> Era:
    """Draw days, and values that crowd into few minutes of them."""
    day, tz = draw(st.sampled_from(ERAS))
    middle = micros(datetime.fromisoformat(day).replace(tzinfo=UTC))
    moments = st.builds(lambda hours, step: middle + hours * HOUR + step, st.integers(-40, 40), st.sampled_from(STEPS))
    values = st.integers(-4_000_000, 4_000_000).map(lambda n: n / 1000) | st.floats(-1e6, 1e6)
    samples = st.builds(
        Sample, st.sampled_from(USERS), st.sampled_from(DEVICES), st.sampled_from(list(KINDS)), moments, values
    )
    # Devices that meet: a user, few metrics, few hours.
    crowd = st.builds(
        Sample,
        st.just("ada"),
        st.sampled_from(DEVICES),
        st.sampled_from(draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=2))),
        st.builds(
            lambda hours, step: middle + hours * HOUR + step,
            st.sampled_from(draw(st.lists(st.integers(-40, 40), min_size=1, max_size=3))),
            st.sampled_from(STEPS),
        ),
        values,
    )
    batches = st.lists(samples | crowd | crowd, min_size=1, max_size=25, unique_by=lambda one: one[:4])
    return Era(middle, tz, moments, batches)
