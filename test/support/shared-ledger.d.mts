import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'

export function sharedLedger(file: string): LedgerDatabase
