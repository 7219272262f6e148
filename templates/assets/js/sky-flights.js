// The list of flights: progress while they are read.
import { start } from "./sky-progress.js";

start();
