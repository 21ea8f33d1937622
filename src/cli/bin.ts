#!/usr/bin/env node
/** The program `sluice`. */
import process from 'node:process'
import { launch } from './launch.ts'

await launch(process.argv.slice(2))
