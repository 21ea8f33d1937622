/** When the server began to count what databases and tables are used for. */

/**
 * SQL of the last resets, as one text: of the counters of a database, and of those of the whole server. After a crash
 * all counters begin at 0, and only the latter has a new time.
 * @param database SQL of its oid
 */
export const countedSince = (database: string): string =>
  `pg_catalog.concat_ws(' '::text, (SELECT s.stats_reset::text FROM pg_catalog.pg_stat_database s WHERE s.datid = ${database}),
    (SELECT w.stats_reset::text FROM pg_catalog.pg_stat_bgwriter w))`
