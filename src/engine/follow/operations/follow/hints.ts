/** Rewords hints of `copy` for `follow`: options that only `copy` has belong to the command that began the stream. */
import type { CopyEvent, CopyRun } from '../../../copy/copy-run.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { OnlyStream } from '../../progress/watch.ts'
import type { Ending } from '../../../run/run-context.ts'
import { copy } from '../../../copy/operations/copy/declaration.ts'
import { copyAndFollow } from '../../stream/companion.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { follow } from './declaration.ts'

const FOLLOW_OPTIONS = namesOf(follow.command)
const COPY_ONLY_OPTIONS = new Set([...namesOf(copy.command)].filter((name) => !FOLLOW_OPTIONS.has(name)))

/** Clauses that name their command: `sluice diff --fix --key`, `the command that began the stream, with --restart`. */
const NAMES_ITS_COMMAND = /sluice (?!follow\b)\w|the command that began/

/** Resumes the stream of a copy. @param within as for `copyAndFollow` @throws as `copyAndFollow`; hints are reworded */
export async function resumeStream(operation: CopyOperation, run: CopyRun, within?: OnlyStream): Promise<Ending> {
  try {
    const ending = await copyAndFollow(
      operation,
      { ...run, emit: (event) => run.emit(eventWithFollowHint(event)) },
      within,
    )
    return ending.error === undefined ? ending : { ...ending, error: withFollowHint(ending.error) }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.hint === undefined) throw thrown
    throw withFollowHint(error)
  }
}

/** Rewords a hint for `follow`. @param hint may name options that only `copy` has */
export function hintOfFollow(hint: string): string {
  const words = hint
    .split(/;\s/)
    .filter((clause) => !NAMES_ITS_COMMAND.test(clause))
    .flatMap((clause) => [...clause.matchAll(/--([a-z][a-z-]*[a-z])/g)].map(([, name = '']) => name))
  const foreign = [...new Set(words.filter((name) => COPY_ONLY_OPTIONS.has(name)))].map((name) => `--${name}`)
  if (foreign.length === 0) return hint
  const [are, them] = foreign.length === 1 ? ['is an option', 'it'] : ['are options', 'them']
  return (
    `${hint}; ${foreign.join(', ')} ${are} of the command that began the stream: give ${them} to sluice copy --follow, ` +
    'with --restart if rows are to be written differently than before'
  )
}

function withFollowHint(error: SluiceError): SluiceError {
  if (error.hint === undefined) return error
  const { code, message, kind, where, reason, retryable, cause } = error
  return new SluiceError(code, message, { kind, retryable, hint: hintOfFollow(error.hint), where, reason, cause })
}

function eventWithFollowHint(event: CopyEvent): CopyEvent {
  if (event.type === 'log' && event.hint !== undefined) return { ...event, hint: hintOfFollow(event.hint) }
  if (event.type !== 'table.finished' || event.error?.hint === undefined) return event
  return { ...event, error: { ...event.error, hint: hintOfFollow(event.error.hint) } }
}

function namesOf(command: typeof follow.command): ReadonlySet<string> {
  const takes = typeof command === 'string' ? [] : (command.takes ?? [])
  return new Set(takes.map(({ name }) => name))
}
