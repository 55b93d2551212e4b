/**
 * Whether somebody is before this page. What it reads by itself meanwhile (after a live update, on a timer) must not keep
 * an unattended session from going idle, so such requests say that nobody asked for them.
 */
const AWAY_MS = 60_000
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const

let lastSeen = Date.now()
for (const sign of SIGNS) {
  addEventListener(sign, () => (lastSeen = Date.now()), { capture: true, passive: true })
}

export const unattended = () => Date.now() - lastSeen > AWAY_MS
