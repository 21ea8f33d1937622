/** Migration 3 of this dialect. */
import { fsckFindings } from '../migration-3.ts'

export const sql = fsckFindings({ text: 'VARCHAR', key: 'VARCHAR', bigint: 'BIGINT', end: '' })
