/** Migration 3 of this dialect. */
import { fsckFindings } from '../migration-3.ts'

export const sql = fsckFindings({ text: 'text COLLATE "C"', key: 'text COLLATE "C"', bigint: 'bigint', end: '' })
