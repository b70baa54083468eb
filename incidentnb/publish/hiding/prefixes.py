"""Tokens that their prefix gives away, and what a text must have for such a one to be looked for."""

from __future__ import annotations

import re

FREE = r"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"  # where a token may begin
PREFIXES = (
    r"A(?:KIA|SIA|GPA|IDA|ROA|NPA)[A-Z2-7]{16}|A(?:KIA|SIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|"
    r"gl(?:pat|rt|dt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w-]{20,128}|GR1348941[\w-]{20,40}|xox[abeoprs]-[\w-]{10,250}|"
    r"xoxe\.xox[bp]-[\w-]{10,250}|xapp-[\w-]{10,250}|"
    r"[spr]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{16,128}|sk-(?:ant-|proj-|or-|svcacct-)?[\w-]{20,250}|AIza[\w-]{30,45}|"
    r"ya29\.[\w-]{20,400}|GOCSPX-[\w-]{20,60}|1//0[\w-]{40,200}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{40,400}|do[opr]_v1_[a-f0-9]{64}|"
    r"SG\.[\w-]{16,64}\.[\w-]{16,128}|hv[sbr]\.[\w-]{20,400}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|dapi[a-f0-9]{32}(?:-\d)?|"
    r"lin_api_[A-Za-z0-9]{30,60}|glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/=]{32,400}|rubygems_[a-f0-9]{48}|hf_[A-Za-z0-9]{30,60}|"
    r"dckr_(?:pat|oat)_[\w-]{20,60}|"
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}|EAA[A-Za-z0-9]{40,400}|AGE-SECRET-KEY-1[A-Z0-9]{58}|sq0(?:atp|csp)-[\w-]{22,60}|"
    r"ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{40,60}|tfp_\w{40,80}|nvapi-[\w-]{40,100}|ATATT3[\w=-]{50,300}|ATBB[A-Za-z0-9]{24,60}|"
    r"NR(?:AK|II|AL|JS)-[A-Za-z0-9]{20,60}|dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{2,40}\.)?[A-Za-z0-9]{40,60}|pul-[a-f0-9]{40}|"
    r"xkeysib-[a-f0-9]{64}-\w{16}|"
    r"tskey-[\w-]{20,100}|figd_[\w-]{30,60}|sntry[su]_[\w+/=-]{40,400}|pscale_(?:tkn|pw|oauth)_[\w.-]{30,80}|sbp_[a-f0-9]{40}|nfp_\w{36,60}|"
    r"gsk_\w{40,80}|xai-\w{60,100}|r8_\w{30,50}|pplx-\w{40,80}|sqp_[a-f0-9]{40}|squ_[a-f0-9]{40}|LTAI[A-Za-z0-9]{16,24}|"
    r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}|"
    r"CFPAT-[\w-]{40,60}|CCIPAT_\w{20,80}|oy2[a-z0-9]{43}|cio[A-Za-z0-9]{32}|HRKU-[\w-]{36,64}|fm[12]_[\w+/=-]{60,400}|FLWSECK[_-][\w-]{20,60}|"
    r"ops_eyJ[\w-]{100,2000}|"
    r"AKCp\w{20,100}|bkua_[a-f0-9]{40}|rdme_\w{60,80}|pnu_\w{36}|duffel_(?:live|test)_[\w-]{40,60}|EZ[AT]K\w{54}|shippo_(?:live|test)_[a-f0-9]{40}|"
    r"PRIVATE-[\w-]{30,}|(?<!-)key-[0-9a-f]{32}|live_[a-f0-9]{35}|v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|API-[A-Z0-9]{26,40}")
HINTS = (
    "akia", "asia", "agpa", "aida", "aroa", "anpa", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glrt-", "gldt-", "glcbt-",
    "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-", "gr1348941", "xox", "xapp-", "sk_live_", "sk_test_", "rk_live_",
    "rk_test_",
    "pk_live_", "pk_test_", "whsec_", "sk-", "aiza", "ya29.", "gocspx-", "1//0", "npm_", "pypi-", "doo_v1_", "dop_v1_", "dor_v1_", "sg.", "hvs.",
    "hvb.",
    "hvr.", "shpat_", "shpca_", "shppa_", "shpss_", "dapi", "lin_api_", "glsa_", "glc_", "rubygems_", "hf_", "dckr_", "pmak-", "eaa",
    "age-secret-key-1",
    "sq0", "ntn_", "secret_", "tfp_", "nvapi-", "atatt3", "atbb", "nrak-", "nrii-", "nral-", "nrjs-", "dp.", "pul-", "xkeysib-", "tskey-", "figd_",
    "sntrys_", "sntryu_", "pscale_", "sbp_", "nfp_", "gsk_", "xai-", "r8_", "pplx-", "sqp_", "squ_", "ltai", "dt0", "cfpat-", "ccipat_", "oy2", "cio",
    "hrku-", "fm1_", "fm2_", "flwseck", "ops_eyj", "akcp", "bkua_", "rdme_", "pnu_", "duffel_", "ezak", "eztk", "shippo_", "private-", "live_",
    "v1.0-", "api-", "key-")
_LONG = {"eaa": 40, "cio": 32, "oy0": 43, "sg.": 16, "dt0": 24, "dp.": 16, "sk-": 20, "api-": 26, "key-": 32, "live_": 10, "private-": 30, "sq0": 4,
         "xox": 6}
_TAIL = {hint: _LONG.get(hint, 10) for hint in (each.translate(str.maketrans("123456789", "0" * 9)) for each in HINTS)}
SIGHT = "|".join(f"(?:{'|'.join(re.escape(hint) for hint, long in _TAIL.items() if long == size)})[a-z0_.=/+-]{{{size}}}"
                         for size in sorted(set(_TAIL.values())))
