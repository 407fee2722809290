"""The reward of an edit, for verl: it asks `lse reward-server`, which scores the edit on its node's holdout.

verl: custom_reward_function.path=lse_reward.py (the function is compute_score)
LSE_REWARD_URL    where the server listens; http://127.0.0.1:8642 unless told
LSE_REWARD_TOKEN  the server's token, if it has one
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ.get("LSE_REWARD_URL", "http://127.0.0.1:8642").rstrip("/") + "/reward"
TOKEN = os.environ.get("LSE_REWARD_TOKEN", "").strip()
TIMEOUT_SECONDS = 3600
LONGEST_PAUSE_SECONDS = 60
# Too many wait, or something between here and the server is out of order for a moment.
AGAIN = (429, 502, 503, 504)


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """ground_truth names the node; solution_str is what the evolver wrote for it."""
    body = json.dumps({"state": ground_truth, "completion": solution_str}).encode()
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    pause = 1
    while True:
        wait = pause
        try:
            request = urllib.request.Request(URL, data=body, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                found = json.load(response)
                return {
                    "score": found["reward"],
                    "holdout_score": found["score"],
                    "invalid": float(found["invalid"]),
                }
        except urllib.error.HTTPError as error:
            if error.code not in AGAIN:
                raise RuntimeError(f"{URL}: {error.code} {error.read().decode(errors='replace')}") from error
            after = error.headers.get("Retry-After", "")
            wait = max(pause, min(int(after), LONGEST_PAUSE_SECONDS) if after.isdigit() else 0)
        # Asked again, the server scores nothing twice.
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            print(f"{URL}: no answer ({error}); trying again in {wait} s")
        time.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
