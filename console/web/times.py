"""Times in words: every time on the page in the configured zone and the page's language. Pure; `now` is a field."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from console.web.phrases import Phrases

DASH = "–"


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes times as people nearby say them: the hour alone today, with the weekday this week, with the date before."""

    now: datetime
    zone: ZoneInfo
    phrases: Phrases

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def hour(self, at: datetime) -> str:
        return self.local(at).strftime("%H:%M")

    def weekday(self, at: datetime) -> str:
        return self.phrases("weekdays").split()[self.local(at).weekday()]

    def day(self, at: datetime) -> str:
        """'21 nov', and with the year when it is another year than now."""
        local = self.local(at)
        words = f"{local.day} {self.phrases('months').split()[local.month - 1]}"
        return words if local.year == self.local(self.now).year else f"{words} {local.year}"

    def moment(self, at: datetime) -> str:
        """'02:15' today, 'lör 02:15' in the last six days, '14 nov 02:15' otherwise."""
        days = (self._date(self.now) - self._date(at)).days
        if days == 0:
            return self.hour(at)
        if 0 < days < 7:
            return f"{self.weekday(at)} {self.hour(at)}"
        return f"{self.day(at)} {self.hour(at)}"

    def then(self, at: datetime, *, after: datetime) -> str:
        """A moment told right after another: the hour alone when it is the same day."""
        return self.hour(at) if self._date(at) == self._date(after) else self.moment(at)

    def span(self, start: datetime, end: datetime) -> str:
        """'lör 21 nov 02:00–03:00'; the second date is left out when it is the same day."""
        first = f"{self.weekday(start)} {self.day(start)} {self.hour(start)}"
        if self._date(start) == self._date(end) or end - start <= timedelta(hours=12):
            return f"{first}{DASH}{self.hour(end)}"
        return f"{first} {DASH} {self.weekday(end)} {self.day(end)} {self.hour(end)}"

    def ago(self, at: datetime) -> str:
        """'nyss', '40 min sedan', '3 h sedan', '2 dygn sedan'."""
        minutes = int((self.now - at).total_seconds() // 60)
        if minutes < 2:
            return self.phrases("just_now")
        if minutes < 100:
            return self.phrases("minutes_ago", n=minutes)
        if minutes < 48 * 60:
            return self.phrases("hours_ago", n=round(minutes / 60))
        return self.phrases("days_ago", n=round(minutes / 1440))

    def until(self, at: datetime) -> str:
        """'om 4 min', and 'snart' for what is due."""
        minutes = int((at - self.now).total_seconds() // 60)
        if minutes < 1:
            return self.phrases("soon")
        return self.phrases("in_minutes", n=minutes) if minutes < 100 else self.moment(at)

    def _date(self, at: datetime) -> date:
        return self.local(at).date()
