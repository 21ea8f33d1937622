/** `diff --run STREAM`: selects rows of a replicated table. */
import { SluiceError } from '../../shared/errors.ts'
import type { DiffFollowedOperation } from '../../engine/follow/operations/diff-followed/declaration.ts'
import { requiredCount, givenFlag, given, givenList, givenText, type Arguments } from '../parse/arguments.ts'
import { operate, type Request, type RequestContext } from '../commands/command.ts'
import { requiredStore, givenStoreUrl } from './copy-stores.ts'
import { runIdArgument } from './run-id.ts'

/** Flags that need `--run STREAM`. */
const STREAM_FLAGS = ['range', 'partition', 'dry-run']
/** Flags that are not allowed with `--run STREAM`. */
const REFUSED_FLAGS = [
  'tables',
  'exclude',
  'to-schema',
  'to-table',
  'columns',
  'rename',
  'where',
  'workers',
  'properties',
  'class',
  'conf',
  'splits',
  'track-run',
  'run-id',
  'prev-run-id',
  'auto-rerun',
  'delete-extra',
  'fix-counters',
  'overwrite-newer',
  'undo',
]

/** @returns null without `--run` @throws SluiceError BAD_FLAG */
export function streamDiffRequest(args: Arguments, { defaults, env }: RequestContext): Request | null {
  const stream = runIdArgument(args, 'run', '--run')
  if (stream === undefined) {
    const name = STREAM_FLAGS.find((one) => args[one] !== undefined && args[one] !== false)
    if (name === undefined) return null
    throw new SluiceError('BAD_FLAG', `--${name} requires --run`, {
      hint: 'add --run with the id of the stream that follows the table; the command changes nothing unless you add --fix',
    })
  }
  const other = REFUSED_FLAGS.find((one) => isGiven(args[one]))
  if (other !== undefined) {
    throw new SluiceError('BAD_FLAG', `--${other} cannot be combined with --run`, {
      reason: 'tables and columns are those of the stream, and rows are repaired to equal the source',
      hint: `remove --${other}`,
    })
  }
  const from = givenStoreUrl('from', args, defaults, env)
  const to = requiredStore('to', args, defaults, env)
  const tables = givenList(args, 'table', '--table')
  if (tables.length > 1)
    throw new SluiceError('BAD_FLAG', '--table is given more than once', { hint: 'name one table' })
  const add = [from, to].flatMap((end) => (end?.origin === 'script' ? [end.printed] : []))
  return operate(
    {
      kind: 'diff-followed',
      stream,
      to: to.url,
      ...given('from', from?.url),
      ...given('table', tables[0]),
      scope: scopeOf(args),
      limit: requiredCount(args, 'limit', 0),
      dryRun: !givenFlag(args, 'fix') || givenFlag(args, 'dry-run'),
    },
    { printed: { add } },
  )
}

function scopeOf(args: Arguments): DiffFollowedOperation['scope'] {
  const keys = givenList(args, 'key')
  const range = givenText(args, 'range')
  const partition = givenText(args, 'partition')
  const named = [keys.length > 0, range !== undefined, partition !== undefined].filter(Boolean).length
  if (named !== 1) {
    throw new SluiceError(
      'BAD_FLAG',
      named === 0 ? 'the rows to compare are not given' : 'only one of --key, --range and --partition can be given',
      {
        hint: 'give --key KEY, --range LO..HI or --partition NAME; sluice follow STREAM --until-equal compares everything',
      },
    )
  }
  if (partition !== undefined) return { by: 'partition', name: partition }
  if (range === undefined) return { by: 'key', keys }
  const [low = '', high = '', ...rest] = range.split('..')
  if (low === '' || high === '' || rest.length > 0) {
    throw new SluiceError('BAD_FLAG', `--range ${range} is not a range`, {
      hint: 'write it like --range 100..200: both ends are included',
    })
  }
  return { by: 'range', low, high }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
}
