/** The command that tries again the rows which a copy has set aside. */
import type { CopyOperation } from '../../../engine/operation.ts'
import type { Dec } from '../../../model/event.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'

/** @param runs that set them aside; the command names one, and none where there are several, or nobody knows */
export function retryCommand({ to }: CopyOperation, runs: readonly Dec[]): string {
  const [runId, ...more] = runs
  return `sluice quarantine retry ${runId === undefined || more.length > 0 ? '' : `${runId} `}--to ${shellQuote(redactUrl(to))}`
}
