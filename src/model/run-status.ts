/** How runs and tables end. */
export type RunStatus = 'ok' | 'failed' | 'refused' | 'stopped'
export type TableStatus = 'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped'
