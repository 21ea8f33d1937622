/** Options for the periods into which times are divided. */
import { CALENDAR_UNITS, EPOCHS } from '../../../model/calendar/calendar.ts'
import type { Option } from './option.ts'
import type { CALENDAR_FLAGS } from './words.ts'

/** Effective values of options that are not set, as text. */
type Shown = Readonly<Partial<Record<(typeof CALENDAR_FLAGS)[number], string>>>

/**
 * Those of `--calendar` and its related options that have a value in `shown`.
 * @param group heading on the command's page
 */
export function calendarOptions(group: string, shown: Shown): readonly Option[] {
  return [
    {
      name: 'calendar',
      type: 'choice',
      choices: CALENDAR_UNITS,
      describe: 'periods into which the table is divided',
    } as const,
    {
      name: 'first-month',
      type: 'text',
      describe: 'month in which a year and its first quarter begin: 1 to 12, or its name',
    } as const,
    {
      name: 'year-offset',
      type: 'number',
      describe: 'added to the calendar year in which a fiscal year begins: with 1, the year from April 2024 is FY25',
    } as const,
    {
      name: 'first-weekday',
      type: 'text',
      describe: 'first day of a week: 1 (Monday) to 7, or its name',
    } as const,
    {
      name: 'zone',
      type: 'text',
      describe: 'time zone in which days begin, such as Europe/Berlin',
    } as const,
  ].flatMap((option): readonly Option[] => {
    const value = shown[option.name]
    return value === undefined ? [] : [{ ...option, shown: value, config: 'shown', group }]
  })
}

/** How an integer column holds times. */
export const EPOCH: Option = {
  name: 'epoch',
  type: 'choice',
  choices: EPOCHS,
  shown: 'what bounds and ledger say',
  describe: 'unit of the times in an integer column: seconds (s) or milliseconds (ms) since 1970',
}
