/** All screens, in the order of their tabs. */
import type { Screen, State } from '../state/state.ts'
import { ASK } from './ask/index.ts'
import { COMPARE } from './compare/index.ts'
import { LOG } from './log/index.ts'
import { QUEUE } from './queue/index.ts'
import { RUNS } from './runs/index.ts'
import type { ScreenEntry } from './screen.ts'
import { TABLES } from './tables/index.ts'

export const SCREENS: Readonly<Record<Screen, ScreenEntry>> = {
  tables: TABLES,
  runs: RUNS,
  compare: COMPARE,
  log: LOG,
  ask: ASK,
  queue: QUEUE,
}

/** The open screen. */
export const openScreen = ({ screen }: Pick<State, 'screen'>): ScreenEntry => SCREENS[screen]
