/** One of the two databases of a cutover, with its ledger. */
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { CutoverLedger } from '../cutover-ledger.ts'
import type { BetweenLedger } from './ledger.ts'

export type CutoverDatabase = {
  readonly url: string
  readonly store: CopyStore
  readonly database: LedgerDatabase
  readonly switches: CutoverLedger
  readonly steps: BetweenLedger
  readonly streams: StreamLedger
}
