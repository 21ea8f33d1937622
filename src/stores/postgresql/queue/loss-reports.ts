/** How a row of a slot notes where the report of its loss is: `reportedAt` and `overAt` stand while what was sent then is not confirmed. */
import { CONFIRM_MS } from '../../../model/run/alert-memory.ts'
import type { LossReport } from '../../../model/share/queue-port.ts'
import { ms } from './look.ts'

const NOW = ms('clock_timestamp()')
const HAS_REPORT = `lost -> 'isReported'::text IS NOT NULL`
const isLate = (field: string): string => `(lost ->> '${field}'::text)::float8 < ${NOW} - ${CONFIRM_MS}::float8`

/** @property becomes the note, as an expression @property where the notes that it is for */
export const LOSS_REPORTS: Readonly<Record<LossReport, { readonly becomes: string; readonly where: string }>> = {
  reported: {
    becomes: `lost || jsonb_build_object('isReported', true, 'reportedAt', ${NOW})`,
    where: `(lost -> 'isReported'::text IS NULL OR ${isLate('reportedAt')})`,
  },
  sent: { becomes: `lost - 'reportedAt'::text`, where: HAS_REPORT },
  unreported: { becomes: `lost - 'isReported'::text - 'reportedAt'::text`, where: HAS_REPORT },
  over: {
    becomes: `lost || jsonb_build_object('overAt', ${NOW})`,
    where: `${HAS_REPORT} AND (lost -> 'overAt'::text IS NULL OR ${isLate('overAt')})`,
  },
  notOver: { becomes: `lost - 'overAt'::text`, where: `lost -> 'overAt'::text IS NOT NULL` },
  forgotten: { becomes: 'NULL', where: `lost -> 'overAt'::text IS NOT NULL` },
}
