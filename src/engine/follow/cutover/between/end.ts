/** One of the two databases of a cutover, with its ledger. */
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { SwitchLedger } from '../switch-ledger.ts'
import type { BetweenLedger } from './ledger.ts'

export type CutoverEnd = {
  readonly url: string
  readonly store: CopyStore
  readonly database: LedgerDatabase
  readonly switches: SwitchLedger
  readonly steps: BetweenLedger
  readonly streams: StreamLedger
}
