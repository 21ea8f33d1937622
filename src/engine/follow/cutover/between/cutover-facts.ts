/** Inputs, steps and facts of a cutover between two databases. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { ApproachParts } from '../approach.ts'
import type { CreatedStream } from '../reverse-stream.ts'
import type { BetweenDocument } from './document.ts'
import type { BetweenLedger } from './ledger.ts'
import type { CutoverCapabilities } from './sides.ts'

export type BetweenParts = Omit<ApproachParts, 'furthest'> &
  CutoverCapabilities & {
    readonly id: string
    readonly stream: string
    readonly from: TableName
    readonly to: TableName
    /** Row key columns of the stream: both tables have them. */
    readonly identity: readonly string[]
    /** Throws if a row of a foreign key has no parent in the target. */
    readonly requireParents: () => Promise<void>
    readonly steps: BetweenLedger
    /** Records the cutover before anything is created for it. */
    readonly begin: () => Promise<void>
    /** Error texts for statements that a closed side refuses. */
    readonly refusalTexts: { readonly source: RefusalText; readonly target: RefusalText }
    readonly document: (facts: DocumentFacts) => string
    /** Longest time that an attempt may keep the source closed, ms. */
    readonly pauseLimitMs: number
    readonly endsSessions: boolean
    /** Reports a step. */
    readonly report: (step: BetweenStep, detail: string) => void
  }

type RefusalText = { readonly says: string; readonly hint: string }

export type BetweenStep = 'closing' | 'session ended' | 'closed' | 'proved' | 'opened' | 'released' | 'again'

export type DocumentFacts = Pick<
  BetweenDocument,
  'token' | 'fence' | 'sessionsEnded' | 'mark' | 'sourceMark' | 'proof' | 'earlier' | 'closingMs'
> & {
  readonly made?: CreatedStream
  readonly reversePosition?: string
}

export type BetweenFacts = {
  /** Log position at which the source was closed to writers; `position`: position up to which the stream is applied. */
  readonly fence: string
  readonly position: string
  readonly reversePosition: string
  readonly pauseMs: number
  readonly waitedMs: number
  /** True if the length of an attempt is unknown: `pauseMs` and `waitedMs` are lower bounds. */
  readonly isLeast: boolean
  readonly tries: number
  /** Rows of the last comparison of all rows; `touched`: rows changed since then, which the attempt compared. */
  readonly rows: bigint
  readonly touched: bigint
  readonly sessionsEnded: readonly string[]
  readonly sequences: readonly string[]
}
