/** Flags of `archive` that say which partitions there are, when one is due, and how it is stored. */
import { CALENDAR_UNITS, type CalendarSpec } from '../engine/calendar/calendar.ts'
import { SluiceError } from '../shared/errors.ts'
import { flag, given, list, optionalCount, optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { parseByteSize } from './byte-size.ts'
import type { RequestContext } from './commands/command.ts'
import type { ConfigDefaults } from './config.ts'
import { isCopyUrl } from '../engine/systems.ts'
import { configNames } from './copy-flags.ts'
import { optionalDuration } from './duration.ts'
import { storeOr } from './named-stores.ts'

const MONTHS = 'january february march april may june july august september october november december'.split(' ')
const WEEKDAYS = 'monday tuesday wednesday thursday friday saturday sunday'.split(' ')
/** Files that are smaller are no use to anybody. */
const LEAST_FILE_BYTES = 1000
/** With less the engine that writes Parquet does not start. */
const LEAST_MEMORY_BYTES = 32_000_000

export type Archiving = {
  readonly to?: string
  readonly by?: string
  readonly calendar?: CalendarSpec
  readonly olderThan?: string
  readonly asText: readonly string[]
  readonly detach: boolean
  readonly drop: boolean
  readonly graceMs?: number
  readonly fileBytes?: number
  readonly memoryBytes?: number
}

/** @throws SluiceError BAD_FLAG */
export function readArchiving(args: Arguments, context: Pick<RequestContext, 'defaults' | 'env'>): Archiving {
  const { defaults } = context
  const asText = list(args, 'as-text')
  const fileSize = optionalText(args, 'file-size') ?? defaults['file-size']
  const memory = optionalText(args, 'memory') ?? defaults.memory
  const olderThan = optionalText(args, 'older-than') ?? defaults['older-than']
  return {
    ...given('to', placeOf(args, context)),
    ...given('by', optionalText(args, 'by') ?? defaults.by),
    ...given('calendar', calendarOf(args, defaults)),
    ...given('olderThan', olderThan === undefined ? undefined : ageOf(olderThan)),
    asText: asText.length > 0 ? asText : configNames('as-text', defaults['as-text']),
    detach: args['detach'] === undefined || flag(args, 'detach'),
    drop: flag(args, 'drop'),
    ...given('graceMs', optionalDuration(args, 'grace', defaults.grace)),
    ...given(
      'fileBytes',
      fileSize === undefined ? undefined : parseByteSize('--file-size', fileSize, LEAST_FILE_BYTES),
    ),
    ...given('memoryBytes', memory === undefined ? undefined : parseByteSize('--memory', memory, LEAST_MEMORY_BYTES)),
  }
}

/** `to` of a config file may be the target of copies, and then says nothing here. */
function placeOf(args: Arguments, { defaults, env }: Pick<RequestContext, 'defaults' | 'env'>): string | undefined {
  const word = optionalText(args, 'to')
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

/** Whole periods; their unit need not be that of the calendar. @throws SluiceError BAD_FLAG */
function ageOf(text: string): string {
  const compact = text.replaceAll(' ', '').toLowerCase()
  if (/^\d{1,5}[dwmqy]$/.test(compact)) return compact
  throw new SluiceError('BAD_FLAG', `--older-than ${text} is no number of periods`, {
    hint: 'write it like 8q (quarters), 24m (months), 52w, 365d or 7y',
  })
}

/** @returns undefined where nothing is said about it: then the ledger knows */
function calendarOf(args: Arguments, defaults: ConfigDefaults): CalendarSpec | undefined {
  const unit = optionalText(args, 'calendar') ?? defaults.calendar
  const month = optionalText(args, 'first-month') ?? defaults['first-month']?.toString()
  const weekday = optionalText(args, 'first-weekday') ?? defaults['first-weekday']?.toString()
  const yearOffset = optionalCount(args, 'year-offset', -100, 100) ?? defaults['year-offset']
  const zone = optionalText(args, 'zone') ?? defaults.zone
  if ([unit, month, weekday, yearOffset, zone].every((value) => value === undefined)) return undefined
  return {
    unit: CALENDAR_UNITS.find((word) => word === unit) ?? 'quarter',
    firstMonth: month === undefined ? 1 : ordinal('--first-month', month, MONTHS),
    yearOffset: yearOffset ?? 0,
    firstWeekday: weekday === undefined ? 1 : ordinal('--first-weekday', weekday, WEEKDAYS),
    zone: zone === undefined ? 'UTC' : zoneOf(zone),
  }
}

/** A number from 1 up, or a name or the first three letters of one. @throws SluiceError BAD_FLAG */
function ordinal(flagName: string, text: string, names: readonly string[]): number {
  const word = text.trim().toLowerCase()
  const number = /^\d{1,2}$/.test(word)
    ? Number(word)
    : names.findIndex((name) => name === word || name.slice(0, 3) === word) + 1
  if (number >= 1 && number <= names.length) return number
  throw new SluiceError('BAD_FLAG', `${flagName} takes 1 to ${names.length} or a name, and not ${text}`, {
    hint: `names are ${names.join(', ')}`,
  })
}

/** @throws SluiceError BAD_FLAG */
function zoneOf(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone === '' ? 'UTC' : text
  } catch {
    throw new SluiceError('BAD_FLAG', `--zone ${text} is no time zone`, {
      hint: 'write it like Europe/Berlin, America/New_York or UTC',
    })
  }
}
