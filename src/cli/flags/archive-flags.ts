/** Flags of `archive`: partitioning, age and storage. */
import { LEAST_RATE, type ArchiveOperation } from '../../archive/operations/archive-run/declaration.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../model/calendar/calendar.ts'
import { SluiceError } from '../../shared/errors.ts'
import { exclusive, givenFlag, given, givenList, givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import { parseByteSize } from './byte-size.ts'
import { CALENDAR_FLAGS } from '../../engine/run/operations/words.ts'
import { ageIn, calendarOptions, epochIn } from './calendar-flags.ts'
import type { RequestContext } from '../commands/command.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { isCopyUrl } from '../../engine/run/systems.ts'
import { configNames } from './copy-flags.ts'
import { givenDuration } from './duration.ts'
import { storeOr } from '../config/named-stores.ts'

/** Smallest file size, bytes; smaller files are useless. */
const LEAST_FILE_BYTES = 1000
/** Smallest memory with which the Parquet writer starts, bytes. */
const LEAST_MEMORY_BYTES = 32_000_000

/** Limit of workers: with more, the share of each in the default memory would be too small. */
const MOST_WORKERS = 16

/** Options of an archive, without the stores, tables and partitions. */
export type ArchiveOptions = Omit<
  ArchiveOperation,
  'kind' | 'from' | 'tables' | 'partitions' | 'confirm' | 'dryRun' | 'alert'
>

/** @throws SluiceError BAD_FLAG */
export function readArchiving(args: Arguments, context: Pick<RequestContext, 'defaults' | 'env'>): ArchiveOptions {
  const { defaults } = context
  const asText = givenList(args, 'as-text')
  const fileSize = givenText(args, 'file-size') ?? defaults['file-size']
  const memory = givenText(args, 'memory') ?? defaults.memory
  const workers = givenCount(args, 'workers', 1, MOST_WORKERS)
  const rate = givenText(args, 'rate')
  return {
    ...given('to', archivePlaceArgument(args, context)),
    ...cutOptions(args, defaults),
    ...given('epoch', epochIn(args)),
    asText: asText.length > 0 ? asText : configNames('as-text', defaults['as-text']),
    ...(givenFlag(args, 'exact') ? { exact: true as const } : {}),
    ...filledFormat('renamed', givenList(args, 'renamed')),
    ...filledFormat('dropped', givenList(args, 'dropped')),
    ...(givenFlag(args, 'widen') ? { widen: true as const } : {}),
    detach: args['detach'] === undefined || givenFlag(args, 'detach'),
    drop: givenFlag(args, 'drop'),
    ...given('graceMs', givenDuration(args, 'grace', defaults.grace)),
    ...given(
      'fileBytes',
      fileSize === undefined ? undefined : parseByteSize('--file-size', fileSize, LEAST_FILE_BYTES),
    ),
    ...given('patienceMs', givenDuration(args, 'lock-timeout')),
    ...given('budgetMs', givenDuration(args, 'retry-limit')),
    ...given('workers', workers),
    ...given('rate', rate === undefined ? undefined : parseByteSize('--rate', rate, LEAST_RATE)),
    ...given('memoryBytes', memory === undefined ? undefined : memoryOf(memory, workers)),
  }
}

/** For `--by-value`, calendar settings of the config file do not apply. @throws SluiceError BAD_FLAG */
function cutOptions(
  args: Arguments,
  defaults: ConfigDefaults,
): Pick<ArchiveOptions, 'by' | 'byValue' | 'calendar' | 'olderThan'> {
  const byValue = givenText(args, 'by-value')
  if (byValue === undefined) {
    return {
      ...given('by', givenText(args, 'by') ?? defaults.by),
      ...given('calendar', calendarOf(args, defaults)),
      ...given('olderThan', ageIn(args, 'older-than', defaults)),
    }
  }
  const other = ['by', ...CALENDAR_FLAGS].find((name) => args[name] !== undefined)
  if (other !== undefined) {
    throw exclusive('--by-value', `--${other}`, 'a table is partitioned by values of a column, or by periods of time')
  }
  return { byValue, ...given('olderThan', ageIn(args, 'older-than', {})) }
}

/** Bytes of memory, which is divided among the workers. @throws SluiceError BAD_FLAG */
function memoryOf(text: string, workers = 1): number {
  return parseByteSize('--memory', text, LEAST_MEMORY_BYTES * workers)
}

function filledFormat<K extends string>(name: K, words: readonly string[]): Partial<Record<K, readonly string[]>> {
  return words.length === 0 ? {} : ({ [name]: words } as Record<K, readonly string[]>)
}

/** Folder or bucket of `--to`. A database URL under `to` in the config file is the target of copies, and is ignored. */
export function archivePlaceArgument(
  args: Arguments,
  { defaults, env }: Pick<RequestContext, 'defaults' | 'env'>,
): string | undefined {
  const word = givenText(args, 'to')
  const text = word === undefined ? undefined : storeOr(word, defaults, env)
  if (text === undefined) {
    const otherwise = defaults.to === undefined ? undefined : storeOr(defaults.to, defaults, env)
    return otherwise === undefined || isCopyUrl(otherwise) ? undefined : otherwise
  }
  if (!isCopyUrl(text)) return text
  throw new SluiceError('BAD_FLAG', '--to is neither a folder nor a bucket', {
    hint: 'archives are files: write it like /archive or s3://bucket/prefix',
  })
}

/** @returns undefined if nothing is set: then the calendar in the ledger is used */
function calendarOf(args: Arguments, defaults: ConfigDefaults): CalendarSpec | undefined {
  const options = calendarOptions(args, defaults)
  return Object.keys(options).length === 0 ? undefined : { ...DEFAULT_CALENDAR, ...options }
}
