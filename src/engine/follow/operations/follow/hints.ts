/** Rewords hints of `copy` for `follow`: options that only `copy` has belong to the command that began the stream. */
import type { CopyEvent, CopyRun } from '../../../copy/copy-run.ts'
import { FOLLOW_OTHERS, RESTART_STREAM } from '../../../../model/follow/lost-stream.ts'
import { shellNames, shellOption } from '../../../../shared/shell.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { NamedStream } from '../../../copy/ledger/stream-lookup.ts'
import type { OnlyStream } from '../../progress/watch.ts'
import type { Ending } from '../../../run/run-context.ts'
import { copy, type CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { copyAndFollow } from '../../stream/companion.ts'
import { followingCopy } from '../../stream/planned-tables.ts'
import { follow } from './declaration.ts'

const FOLLOW_OPTIONS = namesOf(follow.command)
const COPY_ONLY_OPTIONS = new Set([...namesOf(copy.command)].filter((name) => !FOLLOW_OPTIONS.has(name)))

/** Clauses that name their command: `sluice diff --fix --key`, `the command that began the stream, with --restart`. */
const NAMES_ITS_COMMAND = /sluice (?!follow\b)\w|the command that began/

/**
 * Resumes the stream of a copy.
 * @param operation copy of the stream, see `copyOfStream` @param within as for `copyAndFollow`
 * @throws as `copyAndFollow`; hints are reworded
 */
export async function resumeStream(
  { id, isReverse }: Pick<NamedStream, 'id' | 'isReverse'>,
  operation: CopyOperation,
  run: CopyRun,
  within?: OnlyStream,
): Promise<Ending> {
  const selected = { ...operation, reverse: isReverse ? id : null }
  return await hintingAtFollow(selected, async () => {
    const emit = (event: CopyEvent): void => run.emit(eventWithFollowHint(event, selected))
    const ending = await copyAndFollow(operation, { ...run, emit }, within)
    return ending.error === undefined ? ending : { ...ending, error: withFollowHint(ending.error, selected) }
  })
}

/** Plans or runs a stream. @throws errors of `work`, with their hints reworded as by `hintOfFollow` */
export async function hintingAtFollow<T>(selected: Selected, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.hint === undefined) throw thrown
    throw withFollowHint(error, selected)
  }
}

type Selected = Pick<CopyOperation, 'from' | 'tables' | 'exclude' | 'with' | 'periods'> & {
  readonly reverse?: string | null
}

/**
 * Rewords a hint for `follow`. @param hint may name options that only `copy` has @param selected by the command that
 * began the stream: without its tables, the printed command would follow others
 */
export function hintOfFollow(hint: string, selected: Selected): string {
  const { reverse = null } = selected
  if (reverse !== null && hint.includes(RESTART_STREAM))
    return `no command begins the stream of a cutover again: end it with sluice follow ${reverse} --end; the old table keeps the rows that it has, and no cutover leads back to it`
  if (reverse !== null && hint.includes(FOLLOW_OTHERS))
    return hint.replace(FOLLOW_OTHERS, '; no cutover leads back then')
  const words = hint
    .split(/;\s/)
    .filter((clause) => !NAMES_ITS_COMMAND.test(clause))
    .flatMap((clause) => [...clause.matchAll(/--([a-z][a-z-]*[a-z])/g)].map(([, name = '']) => name))
  const foreign = [...new Set(words.filter((name) => COPY_ONLY_OPTIONS.has(name)))].map((name) => `--${name}`)
  if (foreign.length === 0) return hint
  const [are, them] = foreign.length === 1 ? ['is an option', 'it'] : ['are options', 'them']
  const lead = `${hint}; ${foreign.join(', ')} ${are} of`
  if (reverse !== null) return `${lead} copy, which the stream of a cutover does not take`
  if (selected.periods !== undefined)
    return `${lead} copy: give those that it takes to sluice partition run, which began the stream of ${selected.tables.join(', ')}`
  const begins = `${lead} the command that began the stream: give ${them} to ${copyCommand(selected)}`
  return foreign.includes('--restart')
    ? begins
    : `${begins}, with --restart if rows are to be written differently than before`
}

function copyCommand({ from, tables, exclude = [], with: objects = [] }: Selected): string {
  const lists = { '--tables': tables, '--exclude': exclude, '--with': objects }
  const options = Object.entries(lists).filter(([, names]) => names.length > 0)
  const given = options.map(([flag, names]) => ` ${shellOption(flag, shellNames(names))}`).join('')
  return `${followingCopy({ from })}${given}`
}

function withFollowHint(error: SluiceError, selected: Selected): SluiceError {
  if (error.hint === undefined) return error
  const { code, message, kind, where, reason, retryable, cause } = error
  return new SluiceError(code, message, {
    kind,
    retryable,
    hint: hintOfFollow(error.hint, selected),
    where,
    reason,
    cause,
  })
}

function eventWithFollowHint(event: CopyEvent, selected: Selected): CopyEvent {
  if (event.type === 'log' && event.hint !== undefined) return { ...event, hint: hintOfFollow(event.hint, selected) }
  if (event.type !== 'table.finished' || event.error?.hint === undefined) return event
  return { ...event, error: { ...event.error, hint: hintOfFollow(event.error.hint, selected) } }
}

function namesOf(command: typeof follow.command): ReadonlySet<string> {
  const takes = typeof command === 'string' ? [] : (command.takes ?? [])
  return new Set(takes.map(({ name }) => name))
}
