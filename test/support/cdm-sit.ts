/** Smoke cases of the Cassandra Data Migrator, stored outside the project: data, properties, expected results. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const SHARED = process.env['SLUICE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')
export const CDM_SIT = join(SHARED, 'datasets/cdm-sit/smoke')
/** Why the cases cannot run; empty if they can. */
export const CDM_SIT_MISSING = existsSync(CDM_SIT) ? '' : `${CDM_SIT} is missing: set SLUICE_SHARED`
