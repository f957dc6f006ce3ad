// The driver on a model of the kernel.
//   test_driver                        the cases
//   test_driver campaign CALLS [SEED]  random calls; one alone: campaign 1 SEED
//   test_driver many                   more pages than an int can count
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "cases.hpp"
#include "check.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "many") == 0) {
    check::running = "many pages";
    run_many_pages();
  } else if (argc > 2 && std::strcmp(argv[1], "campaign") == 0) {
    check::running = "campaign";
    run_campaign(std::atol(argv[2]), argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
  } else {
    for (const Case* cases :
         {kModelCases, kDriverCases, kHugePageCases, kFoldedCases, kHiddenPageCases, kOrderCases,
          kPaceCases, kStoppedCases, kThreadCases}) {
      for (; cases->name != nullptr; ++cases) {
        check::running = cases->name;
        cases->run();
        std::printf("ok %s\n", cases->name);
      }
    }
  }
}
