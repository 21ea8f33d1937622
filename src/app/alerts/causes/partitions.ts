/** `none-ahead` and `default-rows`: too few future partitions, and rows in the default partition. */
import type { EventBody } from '../../../model/run/event.ts'
import type { CauseWatch, CauseVerdict } from './cause.ts'

type AlarmEvent = Extract<EventBody, { type: 'partition.alarm' }>
type Phase = Extract<EventBody, { type: 'lifecycle.phase' }>

const AHEAD = 'all requested partitions of coming periods exist'
const NO_ROWS = 'no row is in the default partition'

export function noneAhead(): CauseWatch {
  const said = (table: string, holds: boolean, value: string): readonly CauseVerdict[] => [
    { cause: 'none-ahead', table, holds, value },
  ]
  return watch({
    alarm: 'none ahead',
    inspected: ({ table }, [first]) => said(table, first !== undefined, first?.detail ?? AHEAD),
    phase: ({ table, missing, coveredTo, detail }) =>
      missing === undefined
        ? []
        : said(
            table,
            missing !== '0' || coveredTo === undefined,
            missing === '0' && coveredTo !== undefined ? AHEAD : detail,
          ),
  })
}

export function defaultRows(): CauseWatch {
  const said = (table: string, rows: bigint, why: string): readonly CauseVerdict[] => [
    {
      cause: 'default-rows',
      table,
      holds: rows > 0n,
      value: rows > 0n ? `${rowsText(rows)} in the default partition${why}` : NO_ROWS,
    },
  ]
  return watch({
    alarm: 'rows in the default',
    // Rows of a large default partition are not counted unless requested; then the state is unknown.
    inspected: ({ table, defaultRows: rows }, [first]) =>
      rows === undefined ? [] : said(table, BigInt(rows), first === undefined ? '' : `: ${first.detail}`),
    phase: ({ table, defaultRows: rows }) => (rows === undefined ? [] : said(table, BigInt(rows), '')),
  })
}

type AlarmCheck = {
  readonly alarm: AlarmEvent['alarm']
  /** Verdicts for an inspected table with its alarms. */
  readonly inspected: (
    table: Extract<EventBody, { type: 'partition.stands' }>,
    alarms: readonly AlarmEvent[],
  ) => readonly CauseVerdict[]
  readonly phase: (phase: Phase) => readonly CauseVerdict[]
}

function watch({ alarm, inspected, phase }: AlarmCheck): CauseWatch {
  let alarms: AlarmEvent[] = []
  return {
    take: (event) => {
      if (event.type === 'lifecycle.phase') return phase(event)
      if (event.type === 'partition.table') alarms = []
      if (event.type === 'partition.alarm' && event.alarm === alarm) alarms.push(event)
      return event.type === 'partition.stands' ? inspected(event, alarms) : []
    },
  }
}

function rowsText(rows: bigint): string {
  return rows === 1n ? '1 row is' : `${rows} rows are`
}
