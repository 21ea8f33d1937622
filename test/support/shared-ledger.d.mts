import type { LedgerDatabase } from '../../src/stores/copy-port.ts'

export function sharedLedger(file: string): LedgerDatabase
