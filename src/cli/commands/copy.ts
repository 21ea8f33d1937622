/** copy: its flags, and how variables of the resumable script translate to them. */
import { EXIT_OF_KIND, SluiceError } from '../../shared/errors.ts'
import { secretsOfUrl } from '../../shared/redact.ts'
import type { CopyOperation } from '../../engine/copy/operations/copy/declaration.ts'
import type { RunFinished } from '../../engine/run/operation.ts'
import type { AlertCause, AlertOptions } from '../../model/run/alert.ts'
import { COPY_CAUSES, DECIMALS, FOLLOW_CAUSES, ON_EXISTING, PROOFS } from '../../engine/copy/operations/copy/options.ts'
import { defaultNumber } from '../../app/operations/facts.ts'
import { exclusive, givenFlag, given, givenList, givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import { readAlert } from '../flags/alert-flags.ts'
import { splitNames } from '../flags/name-list.ts'
import { configNames, readObjects, readSelection, type CopyStoreUrls, type Selected } from '../flags/copy-flags.ts'
import { grouped } from '../../shared/figures.ts'
import { givenDuration } from '../flags/duration.ts'
import { readHours } from '../flags/hours.ts'
import { readCassandra, readConstants, readExplodeMap, readRing, readTrack } from '../flags/ring-flags.ts'
import { readSettings, asScript, scriptTexts } from '../settings/flags.ts'
import { operate, type Command, type RequestContext, type CommandTexts } from './command.ts'

const copy: Command = {
  request: async (args, context) => {
    const selected = readSelection(args, context)
    const settings = await readSettings(args)
    const operation = asScript(operationOf(args, context, selected), settings, args, context.defaults)
    const hours = given('hours', readHours(args, context.defaults))
    if (hours.hours === undefined && givenText(args, 'zone') !== undefined)
      throw new SluiceError('BAD_FLAG', '--zone requires --between', { hint: 'add --between, or remove --zone' })
    return operate(operation, { ...scriptTexts(commandTextsOf(args, operation, selected), settings), ...hours })
  },
}

function operationOf(
  args: Arguments,
  { defaults }: RequestContext,
  { selection, script, cdm }: Selected,
): CopyOperation {
  const wanted = givenText(args, 'on-existing') ?? defaults['on-existing']
  const lossy = givenList(args, 'accept-lossy')
  const part = givenText(args, 'part')
  const restart = givenFlag(args, 'restart')
  if (restart && givenFlag(args, 'resume')) {
    throw exclusive('--resume', '--restart')
  }
  const again = givenFlag(args, 'again')
  const track = readTrack(args, cdm)
  // A repeated Migrate job reads everything again, unless it resumes a known run.
  const goesOn = track?.autoRerun === true || part !== undefined
  const readsAll = cdm !== null && !again && !goesOn
  refuseWith(again, { restart, part: part !== undefined, deleteExtra: givenFlag(args, 'delete-extra') })
  return {
    kind: 'copy',
    ...selection,
    // The script and the migrator overwrite rows of equal key, so a copy that resumes their work does too.
    onExisting:
      ON_EXISTING.find((choice) => choice === wanted) ?? (script === null && cdm === null ? 'refuse' : 'upsert'),
    acceptLossy: lossy.length > 0 ? lossy : configNames('accept-lossy', defaults['accept-lossy']),
    ...given(
      'decimal',
      DECIMALS.find((choice) => choice === (givenText(args, 'decimal') ?? defaults.decimal)),
    ),
    verify: PROOFS.find((choice) => choice === args['verify']) ?? 'chunk',
    ...given('chunkRows', givenCount(args, 'checkpoint-size', 1) ?? defaults['checkpoint-size'] ?? script?.chunkRows),
    ...given(
      'batchRows',
      givenCount(args, 'batch-size', 1) ?? defaults['batch-size'] ?? cdm?.batchRows ?? script?.batchRows,
    ),
    ...given('rate', givenCount(args, 'rate', 1) ?? cdm?.rate ?? defaults.rate),
    ...given('part', part === undefined ? undefined : jobShareOf(part)),
    maxAside: givenCount(args, 'max-aside', 0) ?? defaults['max-aside'] ?? defaultNumber('copy', 'max-aside'),
    ...given('with', readObjects(args, defaults)),
    ...given('ring', readRing(args, cdm)),
    ...given('constants', readConstants(args, cdm)),
    ...given('explodeMap', readExplodeMap(args, cdm)),
    ...given('codecs', cdm?.codecs),
    ...given('track', track),
    ...(cdm === null ? {} : { cdmLines: true as const }),
    ...given('cassandra', readCassandra(args, cdm)),
    ...(args['look'] === false ? { noLook: true as const } : {}),
    ...(givenList(args, 'accept-difference').length === 0
      ? {}
      : { acceptDifference: givenList(args, 'accept-difference') }),
    ...(again ? { again } : {}),
    ...(readsAll && !restart && !givenFlag(args, 'resume') ? { againWhenDone: true as const } : {}),
    ...(givenFlag(args, 'delete-extra') ? { deleteExtra: true as const } : {}),
    ...given('confirm', givenText(args, 'confirm')),
    restart: restart || (!again && script?.resume === false && !givenFlag(args, 'resume')),
    dryRun: givenFlag(args, 'dry-run'),
    ...given('follow', followOf(args)),
    ...given('alert', givenFlag(args, 'follow') ? undefined : alertOf(args)),
  }
}

/** @throws SluiceError BAD_FLAG for flags that need --follow */
function followOf(args: Arguments): CopyOperation['follow'] {
  const resync = givenList(args, 'resync').flatMap((text) => splitNames('--resync', text))
  const options = {
    ...(givenFlag(args, 'until-caught-up') ? { until: 'caught-up' as const } : {}),
    ...(givenFlag(args, 'until-equal') ? { until: 'equal' as const } : {}),
    ...given('proveEveryMs', givenDuration(args, 'prove-every')),
    ...given('alert', givenFlag(args, 'follow') ? alertOf(args) : undefined),
    ...given('lanes', givenCount(args, 'apply-workers', 1)),
    ...(resync.length === 0 ? {} : { resync }),
    ...(givenFlag(args, 'fire-triggers') ? { fireTriggers: true as const } : {}),
    ...given('cdc', givenText(args, 'cdc') as NonNullable<CopyOperation['follow']>['cdc']),
  }
  if (givenFlag(args, 'follow')) return options
  const names = ['until-caught-up', 'until-equal', 'prove-every', 'apply-workers', 'fire-triggers', 'cdc']
  const name = resync.length === 0 ? names.find((one) => args[one] !== undefined && args[one] !== false) : 'resync'
  if (name === undefined) return undefined
  throw new SluiceError('BAD_FLAG', `--${name} requires --follow`, { hint: `add --follow, or remove --${name}` })
}

/** @throws SluiceError BAD_FLAG for a cause of streams without --follow */
function alertOf(args: Arguments): AlertOptions | undefined {
  if (givenFlag(args, 'follow')) return readAlert(args, { command: 'copy --follow', causes: FOLLOW_CAUSES })
  const others = (cause: AlertCause): string | null => (FOLLOW_CAUSES.includes(cause) ? 'requires --follow' : null)
  return readAlert(args, { command: 'copy', causes: COPY_CAUSES, others })
}

/** @throws SluiceError BAD_FLAG for flags that exclude each other */
function refuseWith(
  again: boolean,
  { restart, part, deleteExtra }: { readonly restart: boolean; readonly part: boolean; readonly deleteExtra: boolean },
): void {
  if (deleteExtra && !again) {
    throw new SluiceError('BAD_FLAG', '--delete-extra requires --again', {
      hint: 'add --again: only a run that compares finds rows that the source lacks',
    })
  }
  if (!again) return
  if (restart) {
    throw exclusive('--again', '--restart', 'use --again to compare copied rows, or --restart to copy them again')
  }
  if (part) {
    throw exclusive('--again', '--part', 'remove --part: a table is compared by one program')
  }
}

/** Parses this job's share of a copy, such as `2/5`. @throws SluiceError BAD_FLAG */
function jobShareOf(text: string): { readonly no: number; readonly of: number } {
  const [, no, of] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text.trim()) ?? []).map(Number)
  if (no !== undefined && of !== undefined && no >= 1 && no <= of) return { no, of }
  throw new SluiceError('BAD_FLAG', `--part ${text} is not a share`, {
    hint: 'write it like 1/4 for the first of four jobs',
  })
}

/**
 * Notes and printed flags. Settings from variables are printed as flags, so that the command does the same without
 * these variables.
 */
function commandTextsOf(
  args: Arguments,
  operation: CopyOperation,
  { storeUrls, script, cdm, add }: Selected,
): CommandTexts {
  const { chunkRows, batchRows, onExisting, restart } = operation
  const more: string[] = []
  const notes: string[] = [...(cdm?.notes ?? [])]
  if (script !== null) {
    const flags = { 'checkpoint-size': chunkRows, 'batch-size': batchRows, 'on-existing': onExisting }
    for (const [name, value] of Object.entries(flags)) {
      if (args[name] === undefined && value !== undefined) more.push(`--${name} ${value}`)
    }
    const variables = [
      ...(storeUrls.from.origin === 'script' ? ['DATABASE_URL'] : []),
      ...(storeUrls.to.origin === 'script' ? ['CLOUDFLARE_ACCOUNT_ID', 'D1_DATABASE_ID'] : []),
    ]
    const batches = batchRows === undefined ? 'batches of as many rows as fit' : `batches of ${grouped(batchRows)} rows`
    const facts = [`chunks of ${grouped(chunkRows ?? 0)} rows`, batches, `--on-existing ${onExisting}`]
    notes.push(`from ${variables.join(', ')}: ${[...facts, `resume ${restart ? 'off' : 'on'}`].join(', ')}`)
  }
  if (restart) {
    const over = onExisting === 'upsert' ? ' until rows with equal keys overwrite them' : ''
    notes.push(
      operation.follow === undefined
        ? `everything is copied again; rows in the target stay there${over}`
        : 'everything is copied again; tables that a stream has filled are emptied in the target first',
    )
  }
  return {
    // A resumed run must not restart.
    printed: { add: [...add, ...more], drop: ['--restart'], dropValued: ['--run-id'] },
    notes,
    // A replicated copy retries quarantined rows by itself.
    next: (finished, runId) => (operation.follow === undefined ? retryCommand(finished, runId, storeUrls) : undefined),
  }
}

/** The retry command, if all chunks are done and only quarantined rows are left. */
function retryCommand(
  { totals, exitCode, error, asideRuns: quarantinedRuns = [] }: RunFinished,
  runId: string,
  { from, to }: CopyStoreUrls,
): string | undefined {
  const { chunks, proved = '0', earlier = '0', quarantined = '0' } = totals
  if (exitCode !== EXIT_OF_KIND.verify || quarantined === '0' || chunks !== String(BigInt(proved) + BigInt(earlier)))
    return undefined
  if (error?.code !== 'ROWS_ASIDE') return undefined
  // Quarantined rows of one run are found by its id. For rows of several runs, no id is given.
  const runs = quarantinedRuns.length > 1 ? [] : [quarantinedRuns[0] ?? runId]
  const shown = (end: CopyStoreUrls['to']): readonly string[] => [
    ...(end.beside === undefined ? [] : [end.beside]),
    end.printed,
  ]
  const flags = [...shown(to)]
  // The ledger has the URL of the source without its password: add the source if a password is needed.
  if (from.origin === 'script' || secretsOfUrl(from.url).length > 0) flags.unshift(...shown(from))
  return ['sluice', 'quarantine', 'retry', ...runs, ...new Set(flags)].join(' ')
}

export const commands = { copy }
