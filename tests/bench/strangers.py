# SPDX-License-Identifier: MIT
"""Which strangers are answered over UDP while others ask under forged addresses: the figures of
doc/decisions/0013. Each event is simulated; takes half a minute.

A stranger asks at 0, 1 and 2.5 s, as ruptime does. A forger sends so many requests a second, each
under an address of its own ("plain"), or under each address twice, half a second apart ("twice").
"""

import random

BUDGET = 1000           # answers a second, and as many at once
RESERVED = 100          # of them for those who come again, once one was refused
REMEMBERED_S = 8
LEAK = 1 / 8
STRANGERS = 300
TRIES_S = (0, 1, 2.5)
BEGIN_S, END_S = 2, 11


class Server:
    def __init__(self, rule, rng):
        self.rule, self.rng = rule, rng
        self.level, self.then, self.answers = BUDGET, 0.0, 0
        self.refused = {}

    def take(self, least=1):
        if self.level < least:
            return False
        self.level -= 1
        return True

    def answers_to(self, source, now):
        self.level = min(BUDGET, self.level + (now - self.then) * BUDGET)
        self.then = now
        answer = self.judge(source, now)
        self.answers += answer
        return answer

    def judge(self, source, now):
        if self.rule == "no budget":
            return True
        if "again" not in self.rule:
            return self.take() or ("leak" in self.rule and self.rng.random() < LEAK)
        again = now - self.refused.get(source, -REMEMBERED_S) < REMEMBERED_S
        if self.take(1 + RESERVED if self.refused and not again else 1):
            return True
        self.refused[source] = now
        return "leak" in self.rule and self.rng.random() < LEAK


def forged(rate, twice, rng):
    """(time, source) of each forged request."""
    now, number, lag = 0.0, 0, rate // 2
    while now < END_S:
        now += rng.expovariate(rate)
        number += 1
        old = twice and number % 2 and number > lag
        yield now, number - lag // 2 * 2 - 1 if old else number


def simulate(rule, rate, twice):
    """Which part of the strangers is answered at once, and after all tries; answers a second."""
    rng = random.Random(1)
    server = Server(rule, rng)
    begin_s = [BEGIN_S + rng.random() * 6 for _ in range(STRANGERS)]
    asked = sorted((begin + delay, -1 - i, k)
                   for i, begin in enumerate(begin_s) for k, delay in enumerate(TRIES_S))
    at_once, answered = 0, set()
    for now, source in forged(rate, twice, rng):
        while asked and asked[0][0] <= now:
            due, stranger, k = asked.pop(0)
            if stranger not in answered and server.answers_to(stranger, due):
                answered.add(stranger)
                at_once += k == 0
        server.answers_to(source, now)
    return at_once / STRANGERS, len(answered) / STRANGERS, server.answers / END_S


def main():
    print("| forged a second | rule | at once | after three tries | answers a second |")
    print("|---|---|---|---|---|")
    for twice in (False, True):
        for rate in (2000, 20000, 100000):
            for rule in ("budget", "budget, leak", "no budget", "budget, again",
                         "budget, again, leak"):
                at_once, after, answers = simulate(rule, rate, twice)
                print("| %d, %s | %s | %.2f | %.2f | %.0f |" %
                      (rate, "twice" if twice else "plain", rule, at_once, after, answers),
                      flush=True)


if __name__ == "__main__":
    main()
