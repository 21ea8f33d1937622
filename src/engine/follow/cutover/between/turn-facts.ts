/** Inputs, steps and results of a cutover between two databases. */
import type { Clock } from '../../../../shared/clock.ts'
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { ChangeSource } from '../../../../model/follow/port.ts'
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import type { SwitchSide } from '../../../../model/follow/switch-side-port.ts'
import type { Waited } from '../approach.ts'
import type { Gates } from '../gates.ts'
import type { MadeStream } from '../reverse-stream.ts'
import type { BetweenDocument } from './document.ts'
import type { BetweenLedger } from './ledger.ts'

export type BetweenParts = {
  readonly id: string
  readonly stream: string
  readonly runId: string
  readonly closing: SwitchSide
  readonly opening: SwitchSide
  readonly from: TableName
  readonly to: TableName
  /** Row key columns of the stream: both tables have them. */
  readonly identity: readonly string[]
  readonly changes: ChangeSource
  /** Change source of the reverse stream, which reads from the target. */
  readonly back: ChangeSource
  readonly steps: BetweenLedger
  /** Records the cutover before anything is created for it. */
  readonly begin: () => Promise<void>
  /** Error texts for statements that a closed side refuses. */
  readonly says: { readonly source: Says; readonly target: Says }
  readonly wayBack: () => MadeStream | null
  readonly findings: () => Promise<readonly SwitchFinding[]>
  /** Reads again the ledger rows that may have changed since the run began. */
  readonly look: () => Promise<void>
  readonly document: (facts: DocumentFacts) => string
  readonly gates: Gates
  readonly budgetMs: number
  readonly triesForMs: number
  /** How long attempts of killed programs blocked writers. */
  readonly earlier?: Waited | undefined
  readonly endsSessions: boolean
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tell: (step: BetweenStep, detail: string) => void
}

type Says = { readonly says: string; readonly hint: string }

export type BetweenStep = 'closing' | 'session ended' | 'closed' | 'proved' | 'opened' | 'released' | 'again'

export type DocumentFacts = Pick<
  BetweenDocument,
  'token' | 'fence' | 'sessionsEnded' | 'mark' | 'proof' | 'earlier' | 'closingMs'
> & {
  readonly made?: MadeStream
  readonly reversePosition?: string
}

export type BetweenFacts = {
  readonly fence: string
  readonly position: string
  readonly reversePosition: string
  readonly pauseMs: number
  readonly waitedMs: number
  /** True if the length of an attempt is unknown: `pauseMs` and `waitedMs` are lower bounds. */
  readonly isLeast: boolean
  readonly tries: number
  readonly rows: bigint
  readonly touched: bigint
  readonly sessionsEnded: readonly string[]
  readonly sequences: readonly string[]
}

export type BetweenEnd =
  | { readonly type: 'switched'; readonly facts: BetweenFacts }
  /** No attempt succeeded in time: the first unmet cutover check is the reason. */
  | { readonly type: 'late' }
