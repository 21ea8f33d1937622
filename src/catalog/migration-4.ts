/**
 * Migration 4: the times of `migration_status` become times where the database has a type for an instant, so that people can count with them. SQLite has
 * none and keeps its texts. Never edited after a release; later changes are new migrations.
 *
 * A text that is no time of the form below, or none of the calendar, becomes NULL and its row stays: an upgrade that ended at a row somebody has
 * written by hand would keep every table of the catalog from being imported. A text without a zone is UTC, as all that this program writes.
 */
import { literal } from '../shared/sql-text.ts'

/** As every database's regular expressions read it: `2026-11-20T12:04:16.204Z`, also with a space, with up to six digits behind the point, and with another zone. */
export const TIME_TEXT = literal(
  '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?$',
)

/** The columns. `started_at` loses its NOT NULL with it. */
export const STATUS_TIMES = ['started_at', 'completed_at'] as const
