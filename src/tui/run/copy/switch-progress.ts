/** State of a cutover, folded from its events: cutover checks, the current step, and whether it has switched. */
import type { CutoverGateEvent, CutoverStepEvent, CutoverSwitchedEvent } from '../../../model/follow/cutover-events.ts'
import type { Event } from '../../../model/run/event.ts'

export type CutoverCheck = Pick<CutoverGateEvent, 'name' | 'state' | 'detail'>

/** Steps during which other sessions may have to wait. */
const BLOCKING_STEPS: ReadonlySet<CutoverStepEvent['step']> = new Set([
  'trying',
  'closing',
  'session ended',
  'closed',
  'proved',
])

export class SwitchProgress {
  /** Cutover checks by name, in the order of their first event. */
  readonly checks = new Map<string, CutoverCheck>()
  /** The newest step; null before the first. */
  step: { readonly text: string; readonly holds: boolean; readonly at: number } | null = null
  switched: CutoverSwitchedEvent | null = null
  #newest: string | null = null

  /** The waiting cutover check that reported last; null if no check is waiting. */
  get waitsFor(): CutoverCheck | null {
    const newest = this.checks.get(this.#newest ?? '')
    if (newest?.state === 'waiting') return newest
    return [...this.checks.values()].findLast(({ state }) => state === 'waiting') ?? null
  }

  /** Number of checks in a state. */
  count(state: CutoverCheck['state']): number {
    return [...this.checks.values()].filter((gate) => gate.state === state).length
  }

  /** @param now ms since the epoch */
  fold(event: Event, now: number): void {
    switch (event.type) {
      case 'cutover.gate': {
        const { name, state, detail } = event
        this.checks.set(name, { name, state, detail })
        if (state === 'waiting') this.#newest = name
        break
      }
      case 'cutover.step':
        this.step = { text: event.detail, holds: BLOCKING_STEPS.has(event.step), at: now }
        break
      case 'cutover.switched':
        this.switched = event
        break
      default:
        break
    }
  }
}
