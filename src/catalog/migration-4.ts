/**
 * Migration 4: the times of `migration_status` get a time type if the database has one, so that queries can calculate
 * with them. SQLite has none and keeps its texts. Never edited after a release; later changes are new migrations.
 *
 * A text that is not in the form below, or is not a date of the calendar, becomes NULL, and its row stays. Otherwise
 * one row edited by hand would block the upgrade, and so the import of every table. A text without a zone is UTC, as
 * this program writes it.
 */
import { sqlLiteral } from '../shared/sql-text.ts'

/** Matches `2026-11-20T12:04:16.204Z`, also with a space for the T, up to six decimals, any zone. For all dialects. */
export const TIME_TEXT = sqlLiteral(
  '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?$',
)

/** The columns that get a time type. `started_at` loses its NOT NULL, too. */
export const STATUS_TIMES = ['started_at', 'completed_at'] as const
