import type { LedgerDatabase } from '../../src/model/copy/port.ts'

export function sharedLedger(file: string): LedgerDatabase
