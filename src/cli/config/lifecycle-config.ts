/** `lifecycle:` of the config file: settings of tables, named like the command-line options. */
import { z } from 'zod'
import { CALENDAR_UNITS, EPOCHS } from '../../model/calendar/calendar.ts'
import { MOST_AHEAD } from '../../partition/coverage.ts'
import { ALERT_CAUSES } from '../../model/run/alert.ts'
import { SluiceError } from '../../shared/errors.ts'
import { readAlert } from '../flags/alert-flags.ts'
import { ageIn, calendarOptions } from '../flags/calendar-flags.ts'
import { parseDuration } from '../flags/duration.ts'

const word = z.string().min(1)

/** A text validated by the parser of the option; its error becomes the error of the file. */
const validatedBy = (read: (text: string) => unknown): z.ZodType<string, string> =>
  word.superRefine((text, context) => {
    try {
      read(text)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      context.addIssue({ code: 'custom', message: [error.message, error.hint].filter(Boolean).join('; ') })
    }
  })

const duration = (name: string): z.ZodType<string, string> => validatedBy((text) => parseDuration(`--${name}`, text))
const ordinal = (name: string): z.ZodType<string> =>
  z
    .union([z.string(), z.int()])
    .transform(String)
    .pipe(validatedBy((text) => calendarOptions({ [name]: text }, {})))

const ENTRY = z.strictObject({
  from: word.optional(),
  to: word.optional(),
  by: word.optional(),
  epoch: z.enum(EPOCHS).optional(),
  calendar: z.enum(CALENDAR_UNITS).optional(),
  'first-month': ordinal('first-month').optional(),
  'year-offset': z.int().min(-100).max(100).optional(),
  'first-weekday': ordinal('first-weekday').optional(),
  zone: validatedBy((zone) => calendarOptions({ zone }, {})).optional(),
  slices: z.enum(['week', 'month']).optional(),
  window: duration('window').optional(),
  lanes: z.int().min(1).max(64).optional(),
  workers: z.int().min(1).max(64).optional(),
  rate: z.int().min(1).optional(),
  ahead: z.int().min(0).max(MOST_AHEAD).optional(),
  'older-than': validatedBy((text) => ageIn({ 'older-than': text }, 'older-than', {})).optional(),
  archive: word.optional(),
  grace: duration('grace').optional(),
  // An entry applies to all commands about the table, so all causes are allowed.
  alert: validatedBy((alert) => readAlert({ alert }, { command: 'lifecycle', causes: ALERT_CAUSES })).optional(),
  'alert-command': word.optional(),
  'alert-exit': z.boolean().optional(),
})

/** Settings of one table. `archive` is `--to` of the archive commands. */
export type LifecycleConfig = Readonly<z.infer<typeof ENTRY>>

export const LIFECYCLE_KEYS: readonly string[] = Object.keys(ENTRY.shape)

/** A table's name, as for `--table`. */
const tableName = word.regex(/^[^*?]+$/, 'is a pattern: each table needs its own entry')

export const LIFECYCLE: z.ZodType<Readonly<Record<string, LifecycleConfig>>> = z.record(tableName, ENTRY)
