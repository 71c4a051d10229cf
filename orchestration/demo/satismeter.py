"""Satismeter's export of responses: the in-app question of recommendation, month by month."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.demo.archive import write_json
from orchestration.demo.chance import Lots, pick
from orchestration.demo.clock import DAY, Period, add_months, day_number, iso, local_ms
from orchestration.demo.courses import LISTED
from orchestration.demo.people import Learner, Population
from orchestration.demo.plans import PLAN_VALUES
from orchestration.demo.surveys import ScoreGiven

CAMPAIGN: Final = "in_app_nps"
_QUESTION: Final = "rating-question"
_COMMENT: Final = "comment-question"
_PAGE_SIZE: Final = 250
# Each monthly export begins a day early, so that nothing is missed.
_OVERLAP: Final = DAY
_SCORES: Final = Lots.of({10: 24, 9: 20, 8: 19, 7: 13, 6: 8, 5: 6, 4: 3, 3: 2, 2: 2, 1: 1, 0: 2})
_METHODS: Final = Lots.of({"In-App": 70, "Mobile": 20, "Email": 10})
# Five of each language, so that what is drawn does not depend on who is asked. Some hold what tells
# who somebody is; it must not come further than the landing folder.
_FEEDBACK: Final = {
    "en": (
        "Great so far, my mentor is quick",
        "Too fast for evenings after work",
        "The app forgets where I was",
        "Found a job! Tell me more: demo.reader@example.org",
        "Good value. Order 123456789, see https://demo-reader.example.org/cv?id=42",
    ),
    "fr": (
        "J'apprends à mon rythme, et les projets sont concrets",
        "Trop cher pour moi",
        "L'application plante sur mon téléphone",
        "Mon mentor peut m'appeler au 06 12 34 56 78",
        "Merci pour l'aide ! Écrivez-moi : demo.reader@example.org",
    ),
    "es": (
        "Muy recomendable, buen ritmo",
        "Demasiada teoría en el curso",
        "Encontré trabajo gracias al mentor",
        "Mi teléfono es +34 612 34 56 78",
        "Mi proyecto: demo-reader.example.org/portfolio",
    ),
}
_OTHER_LANGUAGES: Final = "en"


@dataclass
class Satismeter:
    """What was asked in the app.

    Attributes:
        scores: everybody who was asked.
        files, rows: what was written, repeats included.
        responses: what is left without the repeats.
    """

    scores: list[ScoreGiven] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    responses: int = 0

    def write(
        self, folder: Path, rng: random.Random, population: Population, period: Period
    ) -> None:
        """Write the exports of all months."""
        responses = self._responses(rng, population, period)
        self.responses = len(responses)
        first = period.first
        while first < period.as_of:
            following = add_months(first, 1)
            low = local_ms(day_number(first)) - _OVERLAP
            high = min(local_ms(day_number(following)), period.ends_at)
            due = [response for at, response in responses if low <= at < high]
            for page, start in enumerate(range(0, len(due), _PAGE_SIZE), start=1):
                path = folder / f"responses_{first:%Y-%m}_p{page}.json"
                chunk = due[start : start + _PAGE_SIZE]
                write_json(path, {"responses": chunk})
                self.files += 1
                self.rows += len(chunk)
            first = following

    def _responses(
        self, rng: random.Random, population: Population, period: Period
    ) -> list[tuple[int, dict[str, object]]]:
        """Everybody who was asked, by time: most look away, some leave it half answered."""
        found = []
        days = range(period.days.start, period.days.stop - 1)
        for learner in pick(rng, population.learners, max(40, len(population.learners) // 3)):
            earliest = max(learner.joined_day + 5, days.start)
            if earliest >= days.stop:
                continue
            at = local_ms(rng.randrange(earliest, days.stop), rng.randrange(7 * 3600, 22 * 3600))
            found.append((at, self._response(rng, learner, at)))
        for _ in range(max(5, len(population.learners) // 60)):
            at = local_ms(rng.choice(days), rng.randrange(7 * 3600, 22 * 3600))
            found.append((at, self._response(rng, None, at)))
        return sorted(found, key=lambda entry: (entry[0], str(entry[1]["id"])))

    def _response(self, rng: random.Random, learner: Learner | None, at: int) -> dict[str, object]:
        luck = rng.random()
        is_dismissed, is_pending = luck < 0.45, 0.45 <= luck < 0.52
        rating = None if is_dismissed else _SCORES.draw(rng)
        feedback = None
        if rating is not None and not is_pending and rng.random() < 0.35:
            language = learner.language if learner else _OTHER_LANGUAGES
            texts = _FEEDBACK.get(language, _FEEDBACK[_OTHER_LANGUAGES])
            feedback = rng.choice(texts)
        answered = "" if rating is None else str(rating)
        self.scores.append(
            ScoreGiven(
                CAMPAIGN,
                answered,
                is_submitted=not is_pending,
                has_comment=feedback is not None,
            )
        )
        return {
            "id": f"{rng.getrandbits(96):024x}",
            "created": iso(at).replace("Z", f".{rng.randrange(1000):03}Z"),
            "rating": rating,
            "category": None if rating is None else _category(rating),
            "score": None if rating is None else _share(rating),
            "feedback": feedback,
            "answers": _answers(rating, feedback),
            "campaign": CAMPAIGN,
            "method": _METHODS.draw(rng),
            "dismissed": is_dismissed,
            "pending": is_pending,
            "referrer": "https://learn.example.org/",
            "user": _user(rng, learner, at),
        }


def _user(rng: random.Random, learner: Learner | None, at: int) -> dict[str, object]:
    if learner is None:
        return {
            "id": f"{rng.getrandbits(96):024x}",
            "anonymousId": f"{rng.getrandbits(64):016x}",
            "userId": None,
            "email": None,
            "name": None,
            "traits": {},
        }
    return {
        "id": f"{rng.getrandbits(96):024x}",
        "userId": learner.user_id,
        "email": learner.email,
        "name": learner.name,
        "traits": {
            "plan": PLAN_VALUES[learner.plan_at(at)],
            "language": learner.language,
            "course": rng.choice(LISTED).course_id,
        },
    }


def _answers(rating: int | None, feedback: str | None) -> Sequence[dict[str, object]]:
    answers: list[dict[str, object]] = []
    if rating is not None:
        answers.append(
            {"id": _QUESTION, "label": "How likely are you to recommend us?", "value": rating}
        )
    if feedback is not None:
        answers.append({"id": _COMMENT, "label": "Why?", "value": feedback})
    return answers


def _category(rating: int) -> str:
    return "promoter" if rating >= 9 else "passive" if rating >= 7 else "detractor"


def _share(rating: int) -> int:
    return 100 if rating >= 9 else 0 if rating >= 7 else -100
