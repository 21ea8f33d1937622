/** The command that tries again the rows which a copy has set aside. */
import type { CopyOperation } from '../../../engine/copy/operations/copy/declaration.ts'
import type { Dec } from '../../../model/run/event.ts'
import { urlsByFlag } from '../../../app/operations/facts.ts'
import { wholeCommands } from '../../../app/whole-commands/whole.ts'

/**
 * @param commandLine of the copy: its ends are those of the command
 * @param runs that set them aside; the command names one, and none where there are several, or nobody knows
 */
export function retryCommand(operation: CopyOperation, commandLine: string, runs: readonly Dec[]): string {
  const [runId, ...more] = runs
  const named = runId === undefined || more.length > 0 ? '' : ` ${runId}`
  return wholeCommands(commandLine, urlsByFlag(operation))(`sluice quarantine retry${named}`)
}
