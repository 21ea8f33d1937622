/** The Cassandra Data Migrator's smoke cases, which lie beside the project: data, properties, what is expected. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const SHARED = process.env['SLUICE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')
export const CDM_SIT = join(SHARED, 'datasets/cdm-sit/smoke')
/** Why they cannot be run; empty where they can. */
export const CDM_SIT_MISSING = existsSync(CDM_SIT) ? '' : `${CDM_SIT} is missing: set SLUICE_SHARED`
