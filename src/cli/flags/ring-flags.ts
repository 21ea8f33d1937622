/** Flags for token rings, Cassandra, and tracking of the Cassandra Data Migrator; for `copy` and `diff`. */
import type { CassandraOptions, RingOptions, TrackOptions } from '../../engine/copy/operations/copy/option-types.ts'
import type { CopyOperation } from '../../engine/copy/operations/copy/declaration.ts'
import { SluiceError } from '../../shared/errors.ts'
import { exclusive, givenFlag, given, givenList, givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import type { CdmOptions } from '../cdm/options.ts'

/** @returns undefined if none is given @throws SluiceError BAD_FLAG */
export function readRing(args: Arguments, cdm: CdmOptions | null): RingOptions | undefined {
  const options: RingOptions = {
    ...cdm?.ring,
    ...given('splits', givenCount(args, 'splits', 1, 1_000_000)),
    ...given('min', wholeText(args, 'partition-min')),
    ...given('max', wholeText(args, 'partition-max')),
    ...given('coverage', givenCount(args, 'coverage', 1, 100)),
  }
  const { min, max } = options
  if (min !== undefined && max !== undefined && BigInt(min) > BigInt(max)) {
    throw new SluiceError('BAD_FLAG', `--partition-min ${min} is above --partition-max ${max}`, {
      hint: 'exchange the two values',
    })
  }
  return Object.keys(options).length === 0 ? undefined : options
}

/**
 * Options of run tracking; any one of its flags enables it. @returns undefined if none is given
 * @throws SluiceError BAD_FLAG
 */
export function readTrack(args: Arguments, cdm: CdmOptions | null): TrackOptions | undefined {
  const runId = runNumber(args, 'run-id') ?? cdm?.track?.runId
  const previous = runNumber(args, 'prev-run-id') ?? cdm?.track?.previous
  const autoRerun = givenFlag(args, 'auto-rerun') || cdm?.track?.autoRerun === true
  const asked = givenFlag(args, 'track-run') || cdm?.track !== undefined
  if (!asked && !autoRerun && runId === undefined && previous === undefined) return undefined
  if (autoRerun && previous !== undefined) {
    throw exclusive('--auto-rerun', '--prev-run-id')
  }
  if (runId !== undefined && runId === previous)
    throw new SluiceError('BAD_FLAG', `--run-id and --prev-run-id are both ${runId}`, {
      hint: 'give the new run another --run-id',
    })
  return { ...given('runId', runId), ...given('previous', previous), ...(autoRerun ? { autoRerun } : {}) }
}

/** @returns undefined if none is given @throws SluiceError BAD_FLAG */
export function readCassandra(args: Arguments, cdm: CdmOptions | null): CassandraOptions | undefined {
  const both = level(args, 'consistency')
  const options: CassandraOptions = {
    ...cdm?.cassandra,
    ...given('readConsistency', level(args, 'read-consistency') ?? both),
    ...given('writeConsistency', level(args, 'write-consistency') ?? both),
    ...given('batchRows', givenCount(args, 'batch-rows', 1, 65_535)),
    ...given('pageRows', givenCount(args, 'page-rows', 1, 1_000_000)),
    ...given('ttl', givenCount(args, 'ttl', 1, 630_720_000)),
    ...given('writetime', microseconds(args)),
    ...(args['stamps'] === false ? { dropStamps: true as const } : {}),
  }
  if (options.dropStamps === true && options.writetime !== undefined) {
    throw exclusive('--no-stamps', '--writetime')
  }
  return Object.keys(options).length === 0 ? undefined : options
}

/** @throws SluiceError BAD_FLAG */
export function readConstants(args: Arguments, cdm: CdmOptions | null): CopyOperation['constants'] {
  const flags = givenList(args, 'constants').map((word): readonly [string, string] => {
    const found = /^(?:"((?:[^"]|"")+)"|([^"=]+))=(.*)$/s.exec(word)
    const name = found?.[1]?.replaceAll('""', '"') ?? found?.[2]?.trim() ?? ''
    if (found !== null && name !== '') return [name, found[3] ?? '']
    throw new SluiceError('BAD_FLAG', `--constants ${word} names no column`, {
      hint: 'write it like --constants column=value',
    })
  })
  const all = { ...cdm?.constants, ...Object.fromEntries(flags) }
  return Object.keys(all).length === 0 ? undefined : all
}

/** @throws SluiceError BAD_FLAG */
export function readExplodeMap(args: Arguments, cdm: CdmOptions | null): CopyOperation['explodeMap'] {
  const word = givenText(args, 'explode-map')
  if (word === undefined) return cdm?.explodeMap
  const [column, key, value, ...more] = word.split(':').map((name) => name.trim())
  if (column && key && value && more.length === 0) return { column, key, value }
  throw new SluiceError('BAD_FLAG', `--explode-map ${word} does not name three columns`, {
    hint: 'write it like --explode-map map:key:value',
  })
}

/** An integer as text, so that no digit is lost. */
function wholeText(args: Arguments, name: string): string | undefined {
  const word = givenText(args, name)?.trim()
  if (word === undefined || /^-?\d{1,40}$/.test(word)) return word
  throw new SluiceError('BAD_FLAG', `--${name} must be a whole number, not ${word}`)
}

function runNumber(args: Arguments, name: string): string | undefined {
  const word = givenText(args, name)
  if (word === undefined) return undefined
  if (/^[1-9]\d{0,18}$/.test(word) && BigInt(word) < 2n ** 63n) return word
  throw new SluiceError('BAD_FLAG', `--${name} ${word} is not the number of a run`, {
    hint: 'give a number from run_id in cdm_run_info',
  })
}

function microseconds(args: Arguments): string | undefined {
  const word = givenText(args, 'writetime')
  if (word === undefined || (/^\d{1,19}$/.test(word) && BigInt(word) < 2n ** 63n)) return word
  throw new SluiceError('BAD_FLAG', `--writetime ${word} is not a number of microseconds`, {
    hint: 'write it like --writetime 1764547200000000, in microseconds since 1970',
  })
}

const LEVELS: ReadonlySet<string> = new Set(
  'ANY ONE TWO THREE QUORUM ALL LOCAL_QUORUM EACH_QUORUM LOCAL_ONE SERIAL LOCAL_SERIAL'.split(' '),
)

function level(args: Arguments, name: string): string | undefined {
  const word = givenText(args, name)?.toUpperCase()
  if (word === undefined || LEVELS.has(word)) return word
  throw new SluiceError('BAD_FLAG', `--${name} ${word} is not a consistency level`, {
    hint: `give one of ${[...LEVELS].join(', ')}`,
  })
}
