#pragma once

struct Case {
  const char* name;
  void (*run)();
};

// Each list ends with an entry without a name.
extern const Case kModelCases[];       // the model against what real kernels were seen to do
extern const Case kDriverCases[];      // one fact of the kernel each, through the driver
extern const Case kHugePageCases[];    // several entries for one huge page
extern const Case kFoldedCases[];      // huge pages seen in the page tables, queried once
extern const Case kHiddenPageCases[];  // before Linux 6.6: pages under hinting faults
extern const Case kOrderCases[];       // unordered lists
extern const Case kPaceCases[];        // the cost of calls, and the number of pages in each
extern const Case kStoppedCases[];     // calls that end before every page was tried
extern const Case kThreadCases[];      // lists that several threads move

void run_campaign(long calls, unsigned long long seed);
void run_many_pages();
