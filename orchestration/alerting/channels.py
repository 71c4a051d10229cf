"""The ways to a person: a webhook and e-mail. Each delivers within its time, or says why not.

Reasons name the kind of failure only: an address of a webhook is a password, and servers repeat
what they were sent.
"""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import threading
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import IO, Any

from orchestration.alerting.alerts import Alert
from orchestration.settings import AlertSettings


class NotDelivered(Exception):  # noqa: N818
    """An attempt failed; the text says how, without addresses or passwords."""


def send(channel: str, settings: AlertSettings, alert: Alert) -> None:
    """Deliver over one of the channels of the settings.

    Time-outs of sockets are per answer, and looking up a name has none: the time of the whole
    attempt is bounded by leaving it behind.

    Raises:
        NotDelivered: with the reason.
    """
    outcome: list[Exception | None] = []

    def attempt() -> None:
        try:
            {"webhook": post, "e-mail": mail}[channel](settings, alert)
        except Exception as error:  # whatever a server can make of it
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=attempt, name="northstar-alert", daemon=True)
    thread.start()
    thread.join(settings.timeout_seconds)
    error = outcome[0] if outcome else TimeoutError()
    if isinstance(error, NotDelivered):
        raise error
    if error is not None:
        raise NotDelivered(reason(error, settings.timeout_seconds)) from None


def post(settings: AlertSettings, alert: Alert) -> None:
    """Post to the webhook as JSON; `text` is what Slack, Mattermost and Google Chat show."""
    if settings.webhook is None:
        raise NotDelivered("no webhook is configured")
    body: dict[str, object] = {"text": _for_chat(f"{alert.text}\n- on {socket.gethostname()}")}
    if settings.webhook_format == "json":
        title, *details = alert.lines
        body |= {
            "source": "northstar",
            "host": socket.gethostname(),
            "key": alert.key,
            "severity": alert.severity,
            "title": title,
            "details": details,
        }
    request = urllib.request.Request(  # noqa: S310
        settings.webhook.get_secret_value(),  # http or https, as the settings see to
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "northstar"},
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=settings.timeout_seconds) as answer:
        if not 200 <= answer.status < 300:
            raise NotDelivered(f"HTTP {answer.status}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body: nobody would be told."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        url: str,
    ) -> None:
        """Follow none."""


def mail(settings: AlertSettings, alert: Alert) -> None:
    """Send an e-mail to all recipients; the server takes it for all of them or it failed."""
    message = EmailMessage()
    message["Subject"] = f"[{alert.severity}] {alert.lines[0]}"
    message["From"] = (settings.email_from or settings.recipients[0]).strip()
    message["To"] = ", ".join(settings.recipients)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="northstar.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{alert.text}\n- on {socket.gethostname()}\n")
    kind = smtplib.SMTP_SSL if settings.smtp_security == "tls" else smtplib.SMTP
    extra: dict[str, Any] = (
        {"context": ssl.create_default_context()} if kind is smtplib.SMTP_SSL else {}
    )
    server = kind(
        settings.smtp_host or "", settings.smtp_port, timeout=settings.timeout_seconds, **extra
    )
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user is not None:
            password = settings.smtp_password
            server.login(settings.smtp_user, password.get_secret_value() if password else "")
        refused = server.send_message(message)
    if refused:
        raise NotDelivered(f"{len(refused)} of {len(settings.recipients)} recipients refused")


def _for_chat(text: str) -> str:
    """As Slack wants it: nothing in it calls a channel or makes a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def reason(error: Exception, timeout_seconds: float) -> str:
    """The kind of failure, without anything a server said."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if _is_silence(error):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    return type(error).__name__


def _is_silence(error: Exception) -> bool:
    """Whether a socket's time-out is behind it, which smtplib makes a "disconnected" of.

    Whether that or the time of the whole attempt ends first is chance.
    """
    return isinstance(error, TimeoutError) or (
        isinstance(error, smtplib.SMTPServerDisconnected)
        and isinstance(error.__context__, TimeoutError)
    )
