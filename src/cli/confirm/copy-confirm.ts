/**
 * `copy --again --delete-extra` in a terminal: if many rows would be removed, asks for the table name after they are
 * counted.
 */
import type { CopyOperation } from '../../engine/copy/operations/copy/declaration.ts'
import type { Event } from '../../model/run/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { ask } from './confirm.ts'
import { showRun } from '../open.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'

type Run = Parameters<typeof showRun>[0]
type UiOptions = Parameters<typeof showRun>[1]

/**
 * Runs the copy, and runs it again with the typed name. The first run also writes rows; these stay.
 * @param onEvent called with every event
 * @returns the exit code
 * @throws SluiceError MISSING_CONFIRM if another name is typed: then no row was removed
 */
export async function confirmRemoval(
  operation: CopyOperation,
  run: Run,
  uiOptions: UiOptions,
  session: CliSession,
  context: CliContext,
  onEvent: (event: Event) => void,
): Promise<number> {
  let error: Extract<Event, { type: 'table.finished' }>['error']
  const exitCode = await showRun(run, uiOptions, context, (event) => {
    onEvent(event)
    if (event.type === 'table.finished' && event.error?.code === 'ROWS_EXTRA') error = event.error
  })
  if (error === undefined || operation.confirm !== undefined) return exitCode
  const name = error.where ?? ''
  // The screen unrefs stdin when it closes; without pending work the program would end here.
  context.stdin.ref()
  const answer = (await ask(`${error.message}. Type ${name} to remove them: `, session, context)).trim()
  if (answer === name && name !== '')
    return await showRun({ ...run, operation: { ...operation, confirm: name } }, uiOptions, context, onEvent)
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: none of these rows was removed', {
    hint: `type ${name}`,
  })
}
