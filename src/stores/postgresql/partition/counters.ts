/** Start times of the server's usage counters. */

/**
 * SQL expression: one text with the times at which the counters of a database, and the counters of the whole server,
 * were last reset. After a crash all counters begin at 0, but only the counters of the server have a new time.
 * @param database SQL of the database's OID
 */
export const countedSince = (database: string): string =>
  `pg_catalog.concat_ws(' '::text, (SELECT s.stats_reset::text FROM pg_catalog.pg_stat_database s WHERE s.datid = ${database}),
    (SELECT w.stats_reset::text FROM pg_catalog.pg_stat_bgwriter w))`
