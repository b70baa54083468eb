"""Drafts spoilt in ways that must be caught, and sentences that people add which must not be: phrases of plain English, chosen by a seed."""

import random
import re
from collections.abc import Callable

from draft_samples import Told

HARMLESS = (
    "We are sorry for the trouble this causes.", "We apologise for the inconvenience.", "Thank you for your patience.",
    "Thank you for bearing with us.", "Our support team is here for you.", "You can reach us through the usual channels.",
    "There is nothing that you need to do.", "No data was lost.", "Your data is safe.", "Trying again later may help.",
    "We know how important this is to you.", "Several teams are working on it together.", "We keep a close eye on it.",
    "Orders that you placed before are not touched by this.", "Please do not pay twice.",
    "If you see an error, please wait a moment and reload the page.", "We understand that this is frustrating.",
    "Our engineers have been on it since the first report.", "We share what we know as soon as we know it.",
    "Other parts of the service work as usual.", "The cause is not established yet.", "We do not know the cause yet.",
    "We are still looking for the cause.", "Not all users are affected.", "Some requests fail.", "Some users may see errors.",
    "You may also notice that pages load slowly.", "We do not want to guess before we know more.", "This page is updated whenever there is news.",
    "Support answers around the clock, 24 hours a day.", "We are talking to our partners.", "We will publish a review.",
    "Thanks to everyone who wrote to us.", "Everyone on our team is working on this.", "We take this very seriously.",
    "Scheduled maintenance on Sunday is not related to this.", "Please follow this page for news.", "We apologise for any inconvenience caused.",
    "We regret the disruption this has caused.", "Please accept our apologies.", "Our colleagues in support can help you with urgent orders.",
    "We have not found the cause yet.", "Until it is resolved, please use the phone.", "We will let you know once it is fixed.",
    "We will not rest until this is fixed.", "As soon as the cause is known we will tell you.", "Payments made before are safe.",
    "The team is working as fast as it can.", "Existing sessions keep working.", "We do not have an estimate yet.",
    "We cannot say yet when it will be over.", "It is too early to say when this will be resolved.", "Please keep an eye on this page.",
    "We thank all customers who reported this.", "Some pages may load slowly.", "We are in close contact with everyone involved.",
    "Most of you will not notice anything.", "You do not need to change your password.", "Only use the official app, please.",
    "Nothing was charged twice.", "We have added more people to the team.", "All hands are on deck.", "Your orders are safe with us.",
    "Each report helps us.", "Our phone lines are open.", "We are checking whether other parts are touched.",
    "A second team looks into the reports from support.", "If it fails, try again.")
REPAIR = (
    "This will be fixed by 15:00.", "We expect to be back to normal within the hour.", "The problem will be resolved in 20 minutes.",
    "ETA: 30 minutes.", "Service should be restored by 18:30 UTC.", "We expect a full recovery within two hours.",
    "Everything should be working again shortly.", "We hope to have it fixed before noon.", "A fix will be deployed by 16:00.",
    "Estimated time of repair: 45 minutes.", "We will have this solved by the end of the day.", "It should be over in about an hour.",
    "The service will be available again at 17:15.", "We plan to have everything back online within 30 minutes.", "Expect the fix in ten minutes.",
    "We aim to resolve this today.", "Orders will work again by tomorrow morning.", "Our engineers anticipate a resolution by 14:45.",
    "In half an hour everything will be back to normal.", "We are confident that it will be repaired before 20:00.",
    "We should have things running again in roughly forty minutes.", "Repairs will take about two hours.",
    "You will be able to pay again from 16:00.", "Normal service resumes at 15:30.", "Our estimate for recovery is 17:00 UTC.",
    "We are targeting 18:00 for the fix.", "The fix will go live at 14:20.", "It will take another 30 minutes to repair this.",
    "The outage will end within an hour.", "Full service will return by 9 pm.", "We'll have it sorted in no time.",
    "Please try again at 15:00, when it will be repaired.", "This will be over soon.", "The restoration is planned for 16:45.",
    "The rollback will finish in 10 minutes.", "We guarantee a fix before the end of the day.", "Sign-in will be possible again within 15 minutes.",
    "Resolution expected at 13:10.", "Expected resolution: 2 hours.", "It won't take longer than 20 minutes.")
CAUSE = (
    "This was caused by a database failure.", "The root cause is a faulty network switch.", "It happened due to a configuration error.",
    "The errors come from a bug in the billing system, which is the root cause.", "A hardware fault led to the failures.",
    "The outage was triggered by a power cut.", "The problem was introduced by a library upgrade.", "It has been traced back to a full disk.",
    "Our DNS provider is responsible for this.", "This is the fault of our hosting provider.",
    "Because of a typing error in a rule, requests fail.", "The reason for the errors is an expired licence.",
    "The errors are the result of a failed migration.", "A memory leak is to blame.", "The cause was a denial-of-service attack.",
    "The failures stem from an overloaded queue.", "A bad deployment caused the errors.", "The database caused this outage.",
    "An expired token is the root of the problem.", "What broke was the load balancer.", "A misconfigured firewall is behind the failures.",
    "The failures originate in the mail service.", "The trigger was a change to the pricing table.", "We believe a network fault caused it.",
    "A colleague's mistake brought the site down.", "The incident happened because the disk was full.",
    "This is due to an outage of our cloud provider.", "Errors occur since a faulty update was installed.",
    "The source of the problem is the identity provider.", "A race condition causes the failures.", "The problem comes from our payment partner.")
EARLY = (
    "We have identified the cause and are working on a fix.", "The issue has been identified.", "The cause is known.", "We have found the problem.",
    "Our engineers have identified the issue.", "We now know what is wrong.", "The source of the errors has been found.",
    "We identified the problem a few minutes ago.", "The problem has been located.", "The fault has been isolated.", "The problem has been found.",
    "We have pinpointed the source.", "We've identified the issue.", "The root of the errors is understood.", "We know the cause.",
    "The team has determined what causes this.", "Engineers discovered the problem.", "The cause was established.")
EVERYONE = (
    "All users are affected.", "Everyone is affected by this.", "All our customers see errors.", "This affects every customer.",
    "The entire service is down.", "Nobody can place orders, everyone gets errors.", "Every request fails.", "This is a complete outage.",
    "All requests are failing.", "The whole shop is unavailable.", "All traffic is impacted worldwide.", "No customer can sign in, all see errors.",
    "No one can order.", "Every single user is affected.", "All of our users are experiencing errors.", "The site is completely down.",
    "Everybody gets an error page.", "All sign-ins fail.", "Our whole platform is down.", "All regions are affected.", "100 % of requests fail.",
    "Users everywhere are affected.", "All customers are unable to pay.")
FEW = (
    "Only a small number of users is affected.", "This is limited to users in Portugal.", "Only customers with old browsers are affected.",
    "A small subset of users sees errors.", "The impact is limited to a handful of users.", "Only users in Canada are affected.",
    "Only a tiny fraction of requests fails.", "The failures are confined to one region.", "Just a few users are affected.",
    "Hardly anyone is affected.", "Only one customer is affected.", "The problem affects only guests.", "It concerns only a minority of users.",
    "Very few requests fail.", "Only some users are affected.")
ELSEWHERE = (
    "Only users in Portugal are affected.", "The impact is limited to the region sa-east-1.", "Only the country Norway is affected.",
    "Only customers on version 9.9.1 see errors.", "Failures are limited to ca-central-1.", "Only mobile users in Japan are affected.",
    "The outage is restricted to customers in Norway.", "Users in us-west-2 are affected.", "Only version 3.2.1 fails.",
    "Just the country Chile is affected.")
HOSTS = (
    "Requests to web-09 fail.", "The host ip-10-0-1-2 does not answer.", "db3.prod.internal is overloaded.", "We are restarting 10.0.4.17.",
    "The pod checkout-7d9f8b6c5d-x2x4z keeps restarting.", "Instance i-0abc123def4567890 was replaced.",
    "See trace 4bf92f3577b34da6a3ce929d0e0e4736.", "Request 550e8400-e29b-41d4-a716-446655440000 failed.", "Details are in OPS-1234.",
    "The node kafka-broker-2 was restarted.", "We are following up on deploy-4032.", "app01 and app02 are being drained.",
    "It is reproduced on redis-cache-03.", "See hypothesis H2.", "Commit 4f2a91c is being reviewed.", "auth.svc.cluster.local answers slowly.",
    "The machine lb-1.fra.corp answers again.", "Entry #12 has the details.", "mysql-primary-1 is slow.", "worker-node-14 is full.",
    "Please avoid node7.", "The server fra1-web-2 is down.", "10.20.30.40 is unreachable.", "pod/cart-6c8f9d7b5-abcde was killed.",
    "Postgres on pg-main-1 is slow.", "INC-20417 tracks this.", "arn:aws:sqs:eu-west-1:123456789012:orders is full.",
    "Host app-server-12 was rebooted.", "fe80:0:0:0:1ff:fe23:4567:890a does not answer.", "The box build-runner-7 is stuck.",
    "cache.prod.lan has no memory left.", "M1 was applied.", "api03 is back.", "The trace is 0af7651916cd43dd8448eb211c80319c.")
SECRETS = (
    "The token is ghp_l6lb6jkx9Be4cyBMUPelAqcRHTRm4Q6gHOl4.", "Log in with password=hunter2!.", "Ask jane.doe@example.org for details.",
    "The key AKIAAKAYEC2IR6O5WANR was used.", "Authorization: Bearer abcdefghijklmnop1234", "Write to bob@corp.example.com.",
    "postgres://app:S3cr3tyhIg4@db/x", "sk_live_6TJ6X59uVgip4VieEj8a9cQ2 leaked.")
VAGUE = (
    "", "We will keep you posted.", "More soon.", "We will update this page as soon as we can.", "Updates will follow.", "We will be back.",
    "Stay tuned.", "Check back later for more.", "The next update follows when we know more.")
STATES = {
    "investigating": (
        "This incident is resolved.", "A fix has been deployed.", "The problem is now fixed.", "We are monitoring the results.",
        "The incident is over.", "We have fixed the problem.", "A fix was rolled out.", "Service is back to normal."),
    "identified": (
        "This incident has been resolved.", "Everything is back to normal.", "The fix is in place.", "The problem is solved.",
        "A fix has been applied.", "The incident is over."),
    "monitoring": (
        "This incident is now resolved.", "We are still investigating.", "It is fully resolved.", "We are looking into the errors.",
        "The incident is closed and resolved.", "The problem is still under investigation."),
    "resolved": (
        "We are still investigating.", "Our team is investigating the errors.", "Requests are still failing.", "We are working on a fix.",
        "We continue to investigate.", "Engineers are looking into it.", "Users are still affected.", "The next update follows by 23:59 UTC."),
}
_UPDATE = re.compile(r"The next update follows by [^.]*\.")
_SHARE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) %")
_COUNT = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{3,})(?= of| users)")
_CLOCK = re.compile(r"(?<=(?:ince|From) )(\d{2}):(\d{2})|(?<=\d{4}-\d\d-\d\d )(\d{2}):(\d{2})")

Spoilt = tuple[str, set[str]] | None  # the text, and the codes of which one must be found


def add(text: str, sentence: str, rng: random.Random) -> str:
    """A text with a sentence more, anywhere between two of its sentences in its body."""
    places = [m.end() for m in re.finditer(r"[.!?](?=\s|$)", text) if "Subject:" not in text[m.end():]]
    place = rng.choice(places)
    return f"{text[:place]} {sentence}{text[place:]}"


def clean(text: str, rng: random.Random) -> str:
    """A text with up to three harmless sentences added."""
    for sentence in rng.sample(HARMLESS, rng.randint(0, 3)):
        text = add(text, sentence, rng)
    return text


def promise(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """A time of repair is promised."""
    return add(text, rng.choice(REPAIR), rng), {"repair-time"}


def cause(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """A cause is named that the record does not bear."""
    return add(text, rng.choice(CAUSE), rng), {"cause"}


def early(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """It is called identified before it is."""
    return (add(text, rng.choice(EARLY), rng), {"identified-early"}) if told.stage == "investigating" else None


def scope(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """Another scope than the finding's."""
    truth, named = told.facts["scope"], str(told.facts["value"])
    if truth == "everyone":
        return add(text, rng.choice((*FEW, *ELSEWHERE)), rng), {"scope"}
    if truth == "subset" and named in text and rng.random() < 0.4:
        return text.replace(named, rng.choice(("sa-east-1", "ca-central-1", "Portugal", "Japan", told.facts["other"]))), {"scope"}
    return add(text, rng.choice((*EVERYONE, *(ELSEWHERE if truth else ()))), rng), {"scope"}


def number(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """A number of an earlier finding, or one that is wrong."""
    true = [told.facts["during"], told.facts["before"], told.facts["hit"] / told.facts["users"]]
    found = [*_SHARE.finditer(text), *_COUNT.finditer(text)]
    if not found:
        return None
    match = rng.choice(found)
    if match.re is _COUNT:
        value = int(match[1].replace(",", ""))
        new = f"{max(1, round(value * rng.choice((0.3, 0.5, 0.8, 1.3, 2.2)))):,}"
    else:
        value = float(match[1])
        wrong = told.facts["during"] * 40 if told.facts["stale"] and rng.random() < 0.5 else value * rng.choice((0.3, 0.6, 1.5, 2.4)) + 0.3
        if wrong > 100 or any(abs(wrong / 100 - one) < max(0.006, 0.08 * one) for one in true):
            return None
        new = f"{wrong:.0f}" if wrong >= 10 else f"{wrong:.1f}"
    return (text[:match.start(1)] + new + text[match.end(1):], {"number"}) if new != match[1] else None


def update(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """The next update is not promised any more."""
    if not _UPDATE.search(text):
        return None
    return re.sub(r"[ \t]{2,}", " ", _UPDATE.sub(rng.choice(VAGUE), text)).strip(), {"next-update"}


def host(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """A machine or an internal id is named."""
    return add(text, rng.choice(HOSTS), rng), {"host", "internal-id"}


def contradiction(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """Words of another state."""
    return add(text, rng.choice(STATES[state]), rng), {"state"}


def secret(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """Something that nobody may read."""
    return add(text, rng.choice(SECRETS), rng), {"secret"}


def clock(text: str, told: Told, state: str, rng: random.Random) -> Spoilt:
    """A time of day that is not the record's."""
    found = [m for m in _CLOCK.finditer(text) if "update" not in text[max(0, m.start() - 40):m.start()]]
    if not found:
        return None
    match = rng.choice(found)
    hour, minute = (int(part) for part in (match[1] or match[3], match[2] or match[4]))
    moved = (hour * 60 + minute + rng.choice((-197, -121, 121, 193))) % 1440
    return text[:match.start()] + f"{moved // 60:02d}:{moved % 60:02d}" + text[match.end():], {"time"}


MUTATIONS: tuple[Callable[[str, Told, str, random.Random], Spoilt], ...] = (
    promise, cause, early, scope, number, update, host, contradiction, secret, clock)
