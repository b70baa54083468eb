"""Made log messages in the manner of eight kinds of systems, with the template of each: what no grouping rule can have been fitted to.

A template is a message whose variable places are written ``{kind}``. The first templates of a system are its frequent ones (their
shares fall like 1 / rank).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

_HEX = "0123456789abcdef"


def _hex(r: random.Random, n: int) -> str:
    return "".join(r.choice(_HEX) for _ in range(n))


def _ip(r: random.Random) -> str:
    return ".".join(str(r.randint(1, 250)) for _ in range(4))


def _size(r: random.Random) -> str:
    return r.choice([str(r.randint(0, 999)), f"{r.randint(1, 90)},{r.randint(100, 999)}"])


_NAMES = ["ann", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "olivia"]
_STATES = ["NEW", "SCHEDULED", "ASSIGNED", "RUNNING", "SUCCEEDED", "COMMITTING", "FAILED", "KILLED"]
KINDS: dict[str, Callable[[random.Random], str]] = {
    "int": lambda r: str(r.choice([r.randint(0, 9), r.randint(10, 99_999), r.randint(100_000, 10**9)])),
    "float": lambda r: f"{r.random() * 100:.{r.randint(2, 7)}f}",
    "hex": lambda r: f"0x{_hex(r, 8)}",
    "word8": lambda r: _hex(r, 8),
    "uuid": lambda r: "-".join(_hex(r, n) for n in (8, 4, 4, 4, 12)),
    "ip": _ip,
    "ipport": lambda r: f"{_ip(r)}:{r.randint(1024, 65000)}",
    "mac": lambda r: ":".join(_hex(r, 2) for _ in range(6)),
    "host": lambda r: r.choice(["www.example.org", "mail.example.net", "cdn3.static.example.com", "api.weather.example", "time.example.org",
                                "example.com", "shop-example.cn"]),
    "node": lambda r: f"node-{r.randint(0, 255)}",
    "card": lambda r: f"R{r.randint(0, 77):02d}-M{r.randint(0, 1)}-N{_hex(r, 1).upper()}-C:J{r.randint(2, 17):02d}-U{r.randint(1, 90):02d}",
    "path": lambda r: "/" + "/".join(r.choice(["home", "scratch", "data", "run", "img", "bin", "out"]) for _ in range(r.randint(2, 5))),
    "file": lambda r: f"/{r.choice(['p', 'home', 'scratch'])}/{r.choice(_NAMES)}/run.{r.randint(1, 999)}/core",
    "user": lambda r: r.choice(_NAMES),
    "class": lambda r: "org.example." + ".".join(r.choice(["task", "event", "shuffle", "history", "rm"]) for _ in range(2)) + r.choice(
        [".EventType", ".TaskHandler", ".JobFinish", ".CommitterType"]),
    "state": lambda r: r.choice(_STATES),
    "container": lambda r: f"container_{r.randint(10**12, 10**13)}_{r.randint(1, 40):04d}_01_{r.randint(1, 999):06d}",
    "attempt": lambda r: f"attempt_{r.randint(10**12, 10**13)}_{r.randint(1, 40):04d}_m_{r.randint(0, 99):06d}_{r.randint(0, 3)}",
    "clock": lambda r: f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}",
    "life": lambda r: r.choice(["<1 sec", f"{r.randint(0, 59):02d}:{r.randint(0, 59):02d}", f"{r.randint(1, 9):02d}:{r.randint(0, 59):02d}:11"]),
    "bytes": lambda r: _size(r),
    "kb": lambda r: f"{r.randint(1, 99)}.{r.randint(1, 9)} {r.choice(['KB', 'MB'])}",
    "steps": lambda r: "##".join(str(r.randint(0, 10**9)) for _ in range(6)),
    "links": lambda r: " ".join(r.sample(["B", "C", "X+", "X-", "Y+", "Y-", "Z+", "Z-"], r.randint(5, 8))),
    "day": lambda r: f"{r.choice(['Mon', 'Tue', 'Sat'])} {r.choice(['Jun', 'Jul', 'Nov'])} {r.randint(1, 28):2d} {r.randint(10, 23)}:10:07 2005",
}
# one template a line
_TEXTS: dict[str, str] = {
    "supercomputer": r"""
generating core.{int}
instruction cache parity error corrected
CE sym {int}, at {hex}, mask {hex}
{int} double-hummer alignment exceptions
data TLB error interrupt
total of {int} ddr error(s) detected and corrected
ciod: failed to read message prefix on control stream (CioStream socket to {ipport}
data storage interrupt
iar {word8} dear {word8}
rts: kernel terminated for reason {int}
{int} ddr errors(s) detected and corrected on rank {int}, symbol {int}, bit {int}
ciod: Error loading {file}: invalid or missing program image, No such file or directory
ciod: LOGIN chdir({path}) failed: No such file or directory
exception syndrome register: {hex}
machine check: i-fetch......................{int}
program interrupt: illegal instruction......{int}
program interrupt: unimplemented operation..{int}
byte ordering exception.....................{int}
problem state (0=sup,1=usr).......{int}
floating point instr. enabled.....{int}
instruction address: {hex}
core configuration register: {hex}
machine check interrupt (bit={hex}): L2 dcache unit read return parity error
critical input interrupt (unit={hex} bit={hex}): warning for tree C1 wire
Node card is not fully functional
MidplaneSwitchController performing bit sparing on {card} bit {int}
idoproxydb hit ASSERT condition: ASSERT expression={int}
ciodb has been restarted.
Ido chip status changed: {mac} ip={ip} v={int} t={int} status=M {day}
rts panic! - stopping execution
data store interrupt caused by dcbf.........{int}
data store interrupt caused by icbi.........{int}
icache prefetch depth.............{int}
icache prefetch threshold.........{int}
floating pt ex mode 0 enable......{int}
ciod: duplicate canonical-rank {int} to logical-rank {int} mapping at line {int} of node map file {path}
Kill job {int} timed out. Block freed.
rts tree/torus link training failed: wanted: {links} got: {links}
problem communicating with service card, ido chip: {mac}. java.io.IOException: Could not find EthernetSwitch on port:address {int}:{int}
No power module {word8} found on link card
suppressing further interrupts of same type
lr:{word8} cr:{word8} xer:{word8} ctr:{word8}
""",
    "cluster": r"""
Component State Change: Component \042alt0\042 is in the unavailable state (HWID={int})
ambient={int}
PSU status ( on on )
PSU status ( off on )
Fan speeds ( {int} {int} {int} {int} {int} {int} )
running
boot (command {int}) Error: machine check
Temperature ({int}C) exceeds warning threshold
Link error on broadcast tree Interconnect-{int}T{int}:{int}:{int}
node {node} has detected an available network connection on network {ip} via interface alt0
node {node} has detected an unavailable network connection on network {ip} via interface alt0
ServerFileSystem: domain panic has occurred on storage{int}
Targeting domains:node-D1 and nodes:{node} child of command {int}
Command has completed successfully
Command has been aborted
halt (command {int}) Error: not responding
configured out
Link in reset
Link ok
critical
""",
    "resource manager": r"""
Retrying connect to server: {host}:{int}. Already tried {int} time(s); retry policy is UpToMaximum(maxRetries={int}, sleepTime={int} MS)
{attempt} TaskAttempt Transitioned from {state} to {state}
Received completed container {container}
Progress of TaskAttempt {attempt} is : {float}
Assigned container {container} to {attempt}
Recalculating schedule, headroom=<memory:{int}, vCores:-{int}>
Before Scheduling: PendingReds:{int} ScheduledMaps:{int} ScheduledReds:{int} AssignedMaps:{int} HostLocal:{int} RackLocal:{int}
Failed to renew lease for [DFSClient_NONMAPREDUCE_{int}_{int}] for {int} seconds.  Will retry shortly ...
ERROR IN CONTACTING RM.
Address change detected. Old: {host}/{ipport} New: {host}:{int}
Registering {class} for {class}
JVM with ID : jvm_{int}_{int}_m_{int} asked for a task
JVM with ID: jvm_{int}_{int}_m_{int} given task: {attempt}
KILLING {attempt}
Launching {attempt}
Upper limit on the thread pool size is {int}
Reduce slow start threshold not met. completedMapsForReduceSlowstart {int}
Auth successful for job_{int}_{int} (auth:SIMPLE)
Diagnostics report from {attempt}: Container killed by the ApplicationMaster.
maxTaskFailuresPerNode is {int}
nodeBlacklistingEnabled:true
blacklistDisablePercent is {int}
Slow ReadProcessor read fields took {int}ms (threshold={int}ms); ack: seqno: {int} status: SUCCESS, targets: [{ipport}, {ipport}]
""",
    "health app": r"""
onStandStepChanged {int}
onExtend:{int} {int} {int} {int}
getTodayTotalDetailSteps = {steps}
setTodayTotalDetailSteps={steps}
REPORT : {int} {int} {int} {int}
calculateCaloriesWithCache totalCalories={int}
calculateAltitudeWithCache totalAltitude={int}
flush sensor data
upLoadOneMinuteDataToEngine time={int},{int},{int},{int},{int}
processHandleBroadcastAction action:example.intent.action.SCREEN_OFF
processHandleBroadcastAction action:example.intent.action.SCREEN_ON
processHandleBroadcastAction action:example.intent.action.TIME_TICK
screen status unknown,think screen on
saveHealthDetailData() saveOneDetailData fail hiHealthDetailData = {int},type = {int}
tryToReloadTodayBasicSteps
setTodayDuration {int}
onDeviceCheck {int}
rebootCount {int}
stepCounterBase {int}
writeLastMinute {int}
readFromCloud {int}
sleepStage {int}
goalSteps {int}
needAutoSync autoSyncSwitch is open
mergeHealthData() size={int}
insertHiHealthData() bulkSaveDetailHiHealthData fail errorCode = {int},errorMessage = ERR_DATA_INSERT
sendSyncFailedBroadcast
startTimer start autoSync
aggregateHiHealthData aggregateResult is empty
isScreenOn true
isScreenOn false
""",
    "desktop": r"""
ARPT: {float}: wl0: wl_update_tcpkeep_seq: Original Seq: {int}, Ack: {int}, Win size: {int}
ARPT: {float}: wl0: MDNS: IPV4 Addr: {ip}
Thunderbolt Power Plane - WillSleep - acknowledged
en0: BSSID changed to {mac}
en0: channel changed to {int}
AirPort: Link Down on awdl0. Reason {int} (Unspecified).
AirPort: Link Up on awdl0
PM response took {int} ms ({int}, powerd)
[{clock}:11.{int}] <<<< CRABS >>>> crabsFlumeHostAvailable: [{hex}] Byte flume reports host available again.
USBMSC Identifier (non-unique): {int} {hex} {hex} {hex}, {int}
network changed: v4(en0-:{ip}) DNS- Proxy-
Sandbox: com.example.Addres({int}) deny(1) network-outbound {path}
Previous sleep cause: {int}
full wake promotion (reason {int}) {int} ms
BuildActDeviceEntry enter
BuildActDeviceEntry exit
Unexpected payload found for message {int}, dataLen {int}
hibernate image path: {path}
Bluetooth -- LE is supported - Disable LE meta event
CCFile::captureLog Received Capture notice id: {float}, reason = AssocFail:sts:{int}_rsn:{int}
Captive: CNPluginHandler en0: Inactive
Captive: CNPluginHandler en0: Authenticated
""",
    "cloud compute": r"""
{ip} "GET /v2/{word8}/servers/detail HTTP/1.1" status: {int} len: {int} time: {float}
{ip} "POST /v2/{word8}/os-server-external-events HTTP/1.1" status: {int} len: {int} time: {float}
{ip} "DELETE /v2/{word8}/servers/{uuid} HTTP/1.1" status: {int} len: {int} time: {float}
[instance: {uuid}] VM Started (Lifecycle Event)
[instance: {uuid}] VM Paused (Lifecycle Event)
[instance: {uuid}] VM Resumed (Lifecycle Event)
[instance: {uuid}] VM Stopped (Lifecycle Event)
image {uuid} at ({file}): checking
image {uuid} at ({file}): in use: on this node {int} local, {int} on other nodes sharing this instance storage
Active base files: {file}
Removable base files: {file}
[instance: {uuid}] Creating image
[instance: {uuid}] Terminating instance
[instance: {uuid}] Deleting instance files {path}
[instance: {uuid}] Deletion of {path} complete
[instance: {uuid}] Instance destroyed successfully.
[instance: {uuid}] Instance spawned successfully.
[instance: {uuid}] Took {float} seconds to build instance.
[instance: {uuid}] Took {float} seconds to spawn the instance on the hypervisor.
[instance: {uuid}] Took {float} seconds to destroy the instance on the hypervisor.
[instance: {uuid}] Attempting claim: memory {int} MB, disk {int} GB, vcpus {int} CPU
[instance: {uuid}] Total memory: {int} MB, used: {float} MB
[instance: {uuid}] memory limit: {float} MB, free: {float} MB
[instance: {uuid}] vcpu limit not specified, defaulting to unlimited
[instance: {uuid}] disk limit not specified, defaulting to unlimited
[instance: {uuid}] Claim successful
Auditing locally available compute resources for node {host}
Final resource view: name={host} phys_ram={int}MB used_ram={int}MB phys_disk={int}GB used_disk={int}GB total_vcpus={int} used_vcpus={int} pci_stats=[]
The instance sync for host '{host}' did not match. Re-created its InstanceList.
Successfully synced instances from host '{host}'.
Creating event network-vif-plugged:{uuid} for instance {uuid}
HTTP exception thrown: No instances found for any event
""",
    "proxy client": r"""
{host}:{int} close, {bytes} bytes sent, {bytes} bytes received, lifetime {life}
{host}:{int} open through proxy {host}:{int} HTTPS
{host}:{int} close, {bytes} bytes ({kb}) sent, {bytes} bytes ({kb}) received, lifetime {life}
{host}:{int} close, {bytes} bytes sent, {bytes} bytes ({kb}) received, lifetime {life}
{host}:{int} close, {bytes} bytes ({kb}) sent, {bytes} bytes received, lifetime {life}
{host}:{int} error : Could not connect through proxy {host}:{int} - Proxy server cannot establish a connection with the target, status code {int}
{host}:{int} error : Could not connect to proxy {host}:{int} - Could not resolve {host} error {int}
open through proxy {host}:{int} SOCKS5
""",
    "cluster syslog": r"""
data_thread() got not answer from any [Cluster_A{int}] datasource
session opened for user root by (uid={int})
session closed for user root
(root) CMD (run-parts /etc/cron.hourly)
connection lost: '{int} node{int}'
check pass; user unknown
authentication failure; logname= uid={int} euid={int} tty=ssh ruser= rhost={host}
Failed password for {user} from {ip} port {int} ssh2
Accepted publickey for {user} from ::ffff:{ip} port {int} ssh2
Connection closed by {ip}
synchronized to {ip}, stratum {int}
synchronisation lost
DHCPDISCOVER from {mac} via eth1
DHCPDISCOVER from {mac} via {ip}: network A_net: no free leases
Losing some ticks... checking if CPU frequency changed.
nfs: server {host} not responding, still trying
nfs: server {host} OK
[KERNEL_IB][ib_mad_static_assign][{path}:{int}]Couldn't assign mad, ret={int}
apic {int} lint[{int}] trigger changed
ACPI: Processor [CPU{int}] (supports C1)
eth0: Tigon3 [partno(BCM{int}) rev {int} PHY({int})] (PCI:66MHz:64-bit) {mac}
getaddrinfo failed: Name or service not known
job_obit: sending command {int} for job {int}.server
imklog {int}.{int}, log source = {path} started.
restart.
exiting on signal {int}
""",
}
SYSTEMS = {name: text.strip().split("\n") for name, text in _TEXTS.items()}
_PLACE = re.compile(r"\{(\w+)\}")


def lines(system: str, count: int = 2000, seed: int = 0) -> Iterator[tuple[str, str]]:
    """``count`` messages of a system: (template, message), the frequent templates first among equals, in random order."""
    draw = random.Random(f"{system}/{seed}")
    templates = SYSTEMS[system]
    for template in draw.choices(templates, [1 / (rank + 1) for rank in range(len(templates))], k=count):
        yield template, _PLACE.sub(lambda found: KINDS[found[1]](draw), template)
