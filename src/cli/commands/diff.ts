/** diff: compares after a copy, and repairs. */
import { SluiceError } from '../../shared/errors.ts'
import { alertOf } from '../flags/alert-flags.ts'
import { exclusive, requiredCount, givenFlag, given, givenList, type Arguments } from '../parse/arguments.ts'
import { requiredStore } from '../flags/copy-stores.ts'
import { readSelection } from '../flags/copy-flags.ts'
import type { CdmOptions } from '../cdm/options.ts'
import { readCassandra, readConstants, readExplodeMap, readRing, readTrack } from '../flags/ring-flags.ts'
import { streamDiffRequest } from '../flags/stream-diff.ts'
import { runIdArgument } from '../flags/run-id.ts'
import type { DiffOperation } from '../../engine/copy/operations/diff/declaration.ts'
import { operate, type Command, type Request, type RequestContext } from './command.ts'

/** The ledger of the target lists the repairs, so the source is not needed. */
function undoRequest(runId: string, args: Arguments, { env, defaults }: RequestContext): Request {
  const to = requiredStore('to', args, defaults, env)
  const tables = [...givenList(args, 'table'), ...givenList(args, 'tables')]
  const add = to.origin === 'script' ? [to.printed] : []
  return operate({ kind: 'diff-undo', runId, to: to.url, tables }, { printed: { add } })
}

/** Repair options: from flags, else from `spark.cdm.autocorrect.*`. */
function repairOptionsOf(
  args: Arguments,
  cdm: CdmOptions | null,
): Pick<DiffOperation, 'fix' | 'fixOnly' | 'fixCounters' | 'overwriteNewer'> {
  const { missing = false, mismatch = false, counters = false } = cdm?.correct ?? {}
  const all = givenFlag(args, 'fix')
  const only = all || missing === mismatch ? undefined : missing ? ('missing' as const) : ('different' as const)
  return {
    fix: all || missing || mismatch,
    ...given('fixOnly', only),
    ...(counters || givenFlag(args, 'fix-counters') ? { fixCounters: true as const } : {}),
    ...(givenFlag(args, 'overwrite-newer') ? { overwriteNewer: true as const } : {}),
  }
}

const diff: Command = {
  request: (args, context) => {
    const alert = alertOf('diff', args)
    const followed = streamDiffRequest(args, context)
    const undo = runIdArgument(args, 'undo', '--undo')
    if (alert !== undefined && (followed !== null || undo !== undefined)) {
      const flagName = undo === undefined ? '--run' : '--undo'
      throw exclusive('--alert', flagName, 'remove --alert: a command with named rows or a run prints its result')
    }
    if (followed !== null) return followed
    const fix = givenFlag(args, 'fix')
    const deleteExtra = givenFlag(args, 'delete-extra')
    if (deleteExtra && !fix) {
      throw new SluiceError('BAD_FLAG', '--delete-extra requires --fix', {
        hint: 'add --fix, or remove --delete-extra',
      })
    }
    if (fix && undo !== undefined) {
      throw exclusive('--fix', '--undo')
    }
    if (undo !== undefined) return undoRequest(undo, args, context)
    const { selection, cdm, add } = readSelection(args, context)
    const mending = repairOptionsOf(args, cdm)
    for (const name of ['fix-counters', 'overwrite-newer']) {
      if (!givenFlag(args, name) || mending.fix) continue
      throw new SluiceError('BAD_FLAG', `--${name} requires --fix`, { hint: `add --fix, or remove --${name}` })
    }
    return operate(
      {
        kind: 'diff',
        ...selection,
        limit: requiredCount(args, 'limit', 0),
        ...mending,
        ...given('alert', alert),
        deleteExtra,
        ...given('ring', readRing(args, cdm)),
        ...given('constants', readConstants(args, cdm)),
        ...given('explodeMap', readExplodeMap(args, cdm)),
        ...given('codecs', cdm?.codecs),
        ...given('track', readTrack(args, cdm)),
        ...(cdm === null ? {} : { cdmLines: true as const }),
        ...given('cassandra', readCassandra(args, cdm)),
      },
      {
        printed: { add, dropValued: ['--run-id'] },
        notes: cdm?.notes ?? [],
      },
    )
  },
}

export const commands = { diff }
