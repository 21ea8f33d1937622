/** One of both databases of a switch, with what its ledger knows. */
import type { CopyStore, LedgerDatabase } from '../../../../model/copy/port.ts'
import type { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { SwitchLedger } from '../switch-ledger.ts'
import type { BetweenLedger } from './ledger.ts'

export type End = {
  readonly url: string
  readonly store: CopyStore
  readonly database: LedgerDatabase
  readonly switches: SwitchLedger
  readonly steps: BetweenLedger
  readonly streams: StreamLedger
}
