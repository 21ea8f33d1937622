/** Phase II: the partitioned table takes the public name, the old one follows it for a while, and is then removed. */
import { isoTime } from '../../shared/clock.ts'
import type { SwitchRow } from '../cutover/switch-row.ts'
import { isSwitched, lastTurn, type LookedTable, type Phase } from './looked.ts'

export function switchPhase(looked: LookedTable, before: Phase): Phase {
  const { standing, stream, parkedIsThere } = looked
  const turn = lastTurn(looked)
  if (turn?.status === 'preparing') {
    return { ...facts(turn), state: 'running', detail: `turn ${turn.turn} is being prepared by ${turn.actor}` }
  }
  if (turn !== null && isSwitched(looked)) {
    const told = `switched ${whenText(turn)}${pauseText(turn)}`
    if (parkedIsThere === false) {
      return { ...facts(turn), state: 'done', detail: `${told}; the old table is gone` }
    }
    return {
      ...facts(turn),
      state: 'running',
      detail: `${told}; ${turn.parkedTable} is kept, so that it can be taken back`,
    }
  }
  if (turn !== null) {
    return { ...facts(turn), state: 'due', detail: `taken back ${whenText(turn)}${pauseText(turn)}` }
  }
  if (stream === null || stream.row.status === 'ended') {
    return standing === null
      ? { state: 'not begun', detail: 'there is no partitioned table yet that could take the name' }
      : { state: 'not asked for', detail: 'the table is partitioned, and was never switched by sluice' }
  }
  if (before.state !== 'done') return { state: 'not begun', detail: 'phase I is not signed yet' }
  return { state: 'due', detail: 'the partitioned table is signed, and can take the name' }
}

function facts({ turn, switchedMs, pauseMs, parkedTable }: SwitchRow): Omit<Phase, 'state' | 'detail'> {
  return {
    turn,
    parked: parkedTable,
    ...(switchedMs === null ? {} : { switchedAt: isoTime(switchedMs) }),
    ...(pauseMs === null ? {} : { pauseMs }),
  }
}

function whenText({ switchedMs }: SwitchRow): string {
  return switchedMs === null ? 'at a time that nobody noted' : isoTime(switchedMs)
}

function pauseText({ pauseMs, tries }: SwitchRow): string {
  return pauseMs === null ? '' : `, writers waited ${pauseMs} ms at the most${tries > 1 ? ` in ${tries} tries` : ''}`
}
